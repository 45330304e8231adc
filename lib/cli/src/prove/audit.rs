//! The account of a scenario, once all is over: Claude's bill against the ledger, the budgets and Redis.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use purser::{clock, limit::Policy};
use tokio::time::timeout;

use super::{
    counters,
    deployment::Deployment,
    findings::Findings,
    ledger::{self, LedgerRow},
    pairing::{self, Billed, Pairing},
    recovery,
    witness::Seen,
};

/// A budget of the whole deployment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) name: &'static str,
    pub(super) limit_nanousd: i64,
}

/// Ends the deployment's processes, lets cron tidy up, and compares everything with everything.
pub(super) async fn audit(deployment: &Deployment, budgets: &[Budget]) -> Result<Findings, String> {
    let mut findings = Findings::default();
    end(deployment, &mut findings).await;
    let rows = ledger::read(&deployment.store).await?;
    findings.repaired_nanousd = counters::drift_nanousd(&deployment.cache, &rows).await?;
    recovery::reconcile(deployment, &mut findings).await?;
    account(deployment, budgets, findings).await
}

/// The same without cron: what calls themselves find and put right must be enough.
pub(super) async fn audit_without_cron(deployment: &Deployment, budgets: &[Budget]) -> Result<Findings, String> {
    let mut findings = Findings::default();
    end(deployment, &mut findings).await;
    account(deployment, budgets, findings).await
}

async fn end(deployment: &Deployment, findings: &mut Findings) {
    deployment.close().await;
    if timeout(Duration::from_secs(20), deployment.claude.settled(0)).await.is_err() {
        findings.faults.push("a call still runs at Claude's end, after every process has ended".to_owned());
    }
}

async fn account(deployment: &Deployment, budgets: &[Budget], mut findings: Findings) -> Result<Findings, String> {
    let seen = deployment.witness.all();
    let rows = ledger::read(&deployment.store).await?;
    let bill = pairing::priced(&deployment.claude.calls())?;
    findings.calls = seen.len();
    findings.billed = bill.iter().filter(|call| call.cost_nanousd > 0).count();
    findings.bill_nanousd = bill.iter().map(|call| call.cost_nanousd).sum();
    findings.unanswered = seen.values().filter(|call| call.is_unanswered).count();
    findings.waited(seen.values().filter_map(|call| call.waited).max().unwrap_or_default());
    stuck(deployment, &rows, &seen, &mut findings).await?;
    findings.answers_lost = ledger::lost_answers(&deployment.store).await?;
    let pairing = pairing::pair(bill, rows.clone(), &seen);
    compare(&pairing, &seen, &mut findings);
    // Over midnight another period begins, and only the budgets that calls were taken in tell which.
    let days: BTreeSet<_> = rows.iter().map(|row| clock::day_utc(row.created_ms)).collect();
    let budgets = if days.len() > 1 { &[] } else { budgets };
    findings.over_budget_nanousd = over_budget_nanousd(&pairing, findings.bill_nanousd, budgets);
    recovery::rebuild(deployment, &mut findings).await?;
    findings.drift_nanousd = counters::drift_nanousd(&deployment.cache, &rows).await?;
    deployment.remove().await?;
    Ok(findings)
}

/// The bill against the ledger.
fn compare(pairing: &Pairing, seen: &BTreeMap<String, Seen>, findings: &mut Findings) {
    findings.missing = pairing.missing.len();
    for billed in &pairing.missing {
        findings.tell("missing", &billed.label, billed.cost_nanousd, None);
    }
    for (billed, row) in &pairing.pairs {
        let known = row.source.as_deref() == Some("provider");
        let more = row.charged_nanousd - billed.cost_nanousd;
        if known || more < 0 {
            findings.off_nanousd += more.abs();
            if more != 0 {
                findings.tell("off", &billed.label, billed.cost_nanousd, Some(row));
            }
        } else {
            findings.over_recorded_nanousd += more;
        }
        let could_know = |seen: &Seen| seen.tells_usage && !seen.is_killed;
        if billed.is_finished && !known && seen.get(&billed.label).is_none_or(could_know) {
            findings.guessed += 1;
            findings.tell("guessed", &billed.label, billed.cost_nanousd, Some(row));
        }
    }
    // A process that died between its write and its call leaves a row that nobody can tell from one of a call.
    let killed: BTreeSet<_> = seen.values().filter(|seen| seen.is_killed).map(|seen| seen.owner.as_str()).collect();
    for row in pairing.unbilled.iter().filter(|row| row.charged_nanousd > 0) {
        let may_guess = row.source.as_deref() == Some("ceiling") && killed.contains(row.owner.as_str());
        if may_guess || !row.is_settled {
            findings.over_recorded_nanousd += row.charged_nanousd;
        } else {
            findings.invented += 1;
            findings.tell("never made", "?", 0, Some(row));
        }
    }
}

/// Rows that are not settled, and holds that nobody will free. A process that died before its call was written down
/// leaves a hold that only time can free: one for each such call is right.
async fn stuck(
    deployment: &Deployment,
    rows: &[LedgerRow],
    seen: &BTreeMap<String, Seen>,
    findings: &mut Findings,
) -> Result<(), String> {
    let written: BTreeSet<_> = rows.iter().map(|row| row.id.as_str()).collect();
    let (known, unknown): (Vec<_>, Vec<_>) =
        counters::holders(&deployment.cache).await?.into_iter().partition(|holder| written.contains(holder.as_str()));
    let killed = seen.values().filter(|seen| seen.is_killed).count();
    let reserved = rows.iter().filter(|row| !row.is_settled).count();
    findings.stuck = reserved.max(known.len()) + unknown.len().saturating_sub(killed);
    if findings.stuck > 0 {
        let (known, unknown) = (known.len(), unknown.len());
        findings.details.push(format!(
            "stuck: {reserved} rows are reserved, {known} calls of the ledger and {unknown} others hold something, \
             {killed} calls were killed"
        ));
    }
    Ok(())
}

/// What Claude billed above each budget: those that calls were taken in, and those that the deployment was told of,
/// whether or not a call was taken in them.
fn over_budget_nanousd(pairing: &Pairing, bill_nanousd: i64, budgets: &[Budget]) -> i64 {
    let mut spent = BTreeMap::<(&str, &str), (i64, i64)>::new();
    let add = |billed: &Billed, policy: &Policy| match policy {
        Policy::Budget { limit_nanousd, .. } => Some((*limit_nanousd, billed.cost_nanousd)),
        _ => None,
    };
    for (billed, row) in &pairing.pairs {
        for policy in &row.policies {
            let (Policy::Budget { name, subject, .. }, Some((limit, cost))) = (policy, add(billed, policy)) else {
                continue;
            };
            let sum = spent.entry((name, subject)).or_insert((limit, 0));
            sum.1 += cost;
        }
    }
    let mut over = BTreeMap::<&str, i64>::new();
    for ((name, _), (limit, spent)) in &spent {
        *over.entry(name).or_default() += (spent - limit).max(0);
    }
    for budget in budgets {
        let found = over.entry(budget.name).or_default();
        *found = (*found).max(bill_nanousd - budget.limit_nanousd);
    }
    over.values().map(|over| (*over).max(0)).sum()
}
