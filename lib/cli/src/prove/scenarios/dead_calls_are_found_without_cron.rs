//! Calls whose process died are found by those who come after them, without cron: they are charged, and what they
//! hold is given back.

use std::time::{Duration, Instant};

use purser::{cost::format_usd, env};
use tokio::time::sleep;

use crate::prove::{
    audit::{Budget, audit_without_cron},
    deployment::BUDGET_DAY,
    errand::{Errand, Route},
    findings::Findings,
    ledger,
    stage::Stage,
};

const DEAD: usize = 5;
const ROOM: i64 = 7;
/// A call that is older is dead: longer than any call here.
const DEAD_AFTER_S: &str = "4";
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let limit_nanousd = errand("0").told("gate=dead-0").ceiling_nanousd()? * ROOM;
    let vars = [(BUDGET_DAY, format_usd(limit_nanousd)), (env::RECONCILE_AFTER_S.name, DEAD_AFTER_S.to_owned())];
    let deployment = stage.deployment(&vars.each_ref().map(|(name, value)| (*name, value.as_str()))).await?;
    let process = deployment.start(Route::Messages.function()).await?;
    let mut dying = tokio::task::JoinSet::new();
    for place in 0..DEAD {
        let errand = errand(&format!("dead-{place}")).told(&format!("gate=dead-{place}"));
        let (deployment, process) = (deployment.clone(), process.clone());
        dying.spawn(async move { deployment.complete(&process, &errand).await });
    }
    let labels: Vec<_> = (0..DEAD).map(|place| format!("dead-{place}")).collect();
    let dead = deployment.standing(&labels).await;
    process.kill().await;
    dying.join_all().await;

    let process = deployment.start(Route::Messages.function()).await?;
    let from = Instant::now();
    let mut others = 0;
    while ledger::read(&deployment.store).await?.iter().any(|row| !row.is_settled) && from.elapsed() < PATIENCE {
        deployment.complete(&process, &errand(&format!("other-{others}"))).await;
        others += 1;
        sleep(Duration::from_millis(100)).await;
    }
    let budget = Budget { name: "deployment-day", limit_nanousd };
    let mut findings = audit_without_cron(&deployment, &[budget]).await?;
    let billed = findings.billed;
    findings.expect(dead > 0 && billed > dead, &format!("beside {dead} dead calls, {others} others made {billed}"));
    Ok(findings)
}

fn errand(label: &str) -> Errand {
    Errand::new(Route::Messages, label, format!("caller-{label}")).using(1_000)
}
