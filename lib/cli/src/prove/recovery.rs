//! What Purser does after the worst: cron's reconcile, and rebuilding Redis from the ledger.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use purser::{clock, env, store::Statement};
use tokio::{process::Command, time::sleep};

use super::{deployment::Deployment, findings::Findings};

/// A call of that age is dead for cron: no process is left.
const DEAD_AFTER_MS: i64 = 1_000;
const DEAD_AFTER_S: &str = "1";

/// Nothing fails any more, and a busy machine must not look like an outage.
fn patient() -> [(&'static str, &'static str); 2] {
    [(env::RECONCILE_AFTER_S.name, DEAD_AFTER_S), (env::REDIS_DEADLINE_MS.name, "5000")]
}

/// The youngest call that is not over yet for ledger, limiter and hashes alike.
const YOUNGEST: &str = "select max(coalesce(settled_ms, created_ms)) from calls where booked_ms is null";

/// Runs reconcile twice at the same time, as overlapping crons do, and once more.
pub(super) async fn reconcile(deployment: &Deployment, findings: &mut Findings) -> Result<(), String> {
    let Some(function) = deployment.cron_function() else {
        return Err("the project has no function for cron".to_owned());
    };
    let rows = deployment.store.rows(Statement::new(YOUNGEST, [])).await.map_err(|error| error.to_string())?;
    if let Some(youngest_ms) = rows.first().and_then(|row| row.int_opt(0).ok().flatten()) {
        let age_ms = clock::now_ms() - youngest_ms;
        sleep(Duration::from_millis((DEAD_AFTER_MS + 10 - age_ms).clamp(0, 2 * DEAD_AFTER_MS).unsigned_abs())).await;
    }
    let vars = patient();
    let (one, other) = (deployment.start_with(function, &vars).await?, deployment.start_with(function, &vars).await?);
    let both = tokio::join!(deployment.cron(&one, "reconcile"), deployment.cron(&other, "reconcile"));
    for done in [both.0, both.1, deployment.cron(&one, "reconcile").await] {
        findings.faults.extend(done.err());
    }
    deployment.close().await;
    Ok(())
}

/// Rebuilds Redis from the ledger, as an operator does, and lets Purser itself compare them afterwards.
pub(super) async fn rebuild(deployment: &Deployment, findings: &mut Findings) -> Result<(), String> {
    for what in ["rebuild", "verify"] {
        let said = usage(deployment, what).await?;
        let told = String::from_utf8_lossy(if said.stdout.is_empty() { &said.stderr } else { &said.stdout });
        findings.expect(said.status.success(), &format!("`purser usage {what}`: {}", told.trim()));
    }
    Ok(())
}

async fn usage(deployment: &Deployment, what: &str) -> Result<Output, String> {
    let failed = |error: std::io::Error| format!("`purser usage {what}` cannot be run: {error}");
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(["usage", what]).env_clear().envs(deployment.vars.iter().cloned());
    command.envs(patient()).kill_on_drop(true);
    command.stdin(Stdio::null()).output().await.map_err(failed)
}
