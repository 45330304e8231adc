//! A call is settled once and for ever: settling it again, by anybody, with other figures, at the same moment or
//! later, changes neither the ledger nor a budget.

use std::sync::Arc;

use purser::{
    ids::CallId,
    limit::Limiter,
    store::Settlement,
    usage::{Source, Usage},
};
use tokio::task::JoinSet;

use crate::prove::{
    audit::audit,
    deployment::{BUDGET_MONTH, Deployment},
    errand::{Errand, Route},
    findings::Findings,
    ledger::{self, LedgerRow},
    stage::Stage,
};

/// Settlements of each call besides its own.
const AGAIN: i64 = 6;

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let deployment = stage.deployment(&[(BUDGET_MONTH, "100000")]).await?;
    let count = stage.amount(24, 8);
    let mut calls = Vec::new();
    for route in Route::ALL {
        let process = deployment.start(route.function()).await?;
        for place in 0..count {
            let label = format!("{route:?}-{place}");
            calls.push((process.clone(), Errand::new(route, label.clone(), label).told("deltas=4")));
        }
    }
    let whole = deployment.complete_all(calls).await;
    // Some of these settle for the second time before their own process has settled the hold and the hashes.
    settle_again(&deployment).await?;
    deployment.close().await;
    settle_again(&deployment).await?;
    let mut findings = audit(&deployment, &[]).await?;
    findings.expect(whole >= count, &format!("of {} calls, only {whole} came whole", 3 * count));
    findings.expect_no_repair();
    Ok(findings)
}

async fn settle_again(deployment: &Arc<Deployment>) -> Result<(), String> {
    let mut settling = JoinSet::new();
    for row in ledger::read(&deployment.store).await?.into_iter().filter(|row| row.is_settled) {
        for turn in 1..=AGAIN {
            let (deployment, row) = (deployment.clone(), row.clone());
            settling.spawn(async move { settle_wrongly(&deployment, &row, turn).await });
        }
    }
    settling.join_all().await.into_iter().collect()
}

/// With figures that would show. The limiter is told the true cost, because the call's own process may come second.
async fn settle_wrongly(deployment: &Deployment, row: &LedgerRow, turn: i64) -> Result<(), String> {
    let settlement = Settlement {
        call_id: row.id.clone(),
        owner: row.owner.clone(),
        outcome: "completed".to_owned(),
        source: Source::Provider,
        model: None,
        usage: Usage { output_tokens: 1_000_000, ..Usage::default() },
        cost_nanousd: row.charged_nanousd + turn,
        stop_reason: None,
        error_code: None,
        upstream_request_id: None,
        is_client_gone: false,
        first_byte_ms: None,
        settled_ms: row.created_ms,
    };
    let changed = deployment.store.settle_call(&settlement, None).await.map_err(|error| error.to_string())?;
    if changed {
        return Err("a settled call could be settled again".to_owned());
    }
    let limiter = Limiter::redis(deployment.cache.clone());
    let call_id = CallId(row.id.clone());
    limiter.settle(&call_id, &row.policies, row.charged_nanousd).await.map(drop).map_err(|error| error.to_string())
}
