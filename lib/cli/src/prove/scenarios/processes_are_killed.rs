//! A process that is killed loses no call: what it had begun stands in the ledger, at no less than Claude bills.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use crate::prove::{
    audit::audit,
    deployment::{BUDGET_MONTH, Deployment},
    dice::Dice,
    errand::{Errand, Route},
    findings::Findings,
    stage::Stage,
};

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let mut dice = stage.dice("processes killed");
    let deployment = stage.deployment(&[(BUDGET_MONTH, "100000")]).await?;
    let killed = stage.amount(24, 8);
    for round in 0..killed {
        kill_one(&deployment, &mut dice, round).await?;
    }
    let mut findings = audit(&deployment, &[]).await?;
    let holds = findings.billed >= killed;
    findings
        .expect(holds, &format!("{killed} processes were killed, and Claude billed only {} calls", findings.billed));
    Ok(findings)
}

/// Some calls stand at gates at different events, others run freely; then the process dies.
async fn kill_one(deployment: &Arc<Deployment>, dice: &mut Dice, round: usize) -> Result<(), String> {
    let route = Route::ALL[dice.place(Route::ALL.len())];
    let process = deployment.start(route.function()).await?;
    let mut calls = JoinSet::new();
    let mut gates = Vec::new();
    for place in 0..8 {
        let label = format!("{round}-{place}");
        let mut errand = Errand::new(route, label.clone(), label.clone()).told("deltas=6");
        if place < 5 {
            errand = errand.told(&format!("gate={label}@{}", dice.below(11)));
            gates.push(label);
        }
        let (deployment, process) = (deployment.clone(), process.clone());
        calls.spawn(async move { deployment.complete(&process, &errand).await });
    }
    if dice.once_in(2) {
        deployment.standing(&gates).await;
    } else {
        // The fault itself comes at any moment: in the middle of reserve, write-ahead or settle.
        sleep(Duration::from_micros(dice.below(40_000))).await;
    }
    process.kill().await;
    for gate in gates {
        deployment.claude.open_gate(&gate);
    }
    calls.join_all().await;
    Ok(())
}
