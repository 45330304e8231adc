//! An outage in the middle of calls, at a budget that is nearly spent: some calls are over when it begins, some run,
//! others come while it lasts, and many come afterwards.

use std::sync::Arc;

use purser::cost::format_usd;
use tokio::task::JoinSet;

use crate::prove::{
    audit::{Budget, audit},
    deployment::{BUDGET_DAY, Deployment, REDIS_IS_MISSED},
    errand::{Errand, Route},
    findings::Findings,
    process::Process,
    stage::Stage,
};

/// Calls of full size that the budget has room for.
const ROOM: i64 = 12;
/// Calls that are over when the outage begins.
const EARLIER: usize = 3;
/// Calls that run when the outage begins.
const RUNNING: usize = 5;
const TOKENS: u64 = 2_000;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Redis is gone, and comes back empty.
    RedisStops,
    /// Redis takes connections and answers nothing.
    RedisHangs,
    /// Redis forgets everything.
    RedisIsEmptied,
    /// Postgres breaks all connections and recovers.
    PostgresCrashes,
}

impl Fault {
    /// Whether it can be made: not with services that are given.
    pub(super) fn is_possible(self, stage: &Stage) -> bool {
        match self {
            Self::RedisStops | Self::RedisHangs => stage.backing.redis().is_some(),
            Self::RedisIsEmptied => true,
            Self::PostgresCrashes => stage.backing.postgres().is_some(),
        }
    }

    pub(super) async fn begin(self, stage: &Stage, deployment: &Deployment) -> Result<(), String> {
        match (self, stage.backing.redis(), stage.backing.postgres()) {
            (Self::RedisStops, Some(redis), _) => redis.lock().await.stop().await,
            (Self::RedisHangs, Some(redis), _) => redis.lock().await.hang(),
            (Self::RedisIsEmptied, _, _) => deployment.empty_redis().await?,
            (Self::PostgresCrashes, _, Some(postgres)) => postgres.lock().await.crash().await,
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn end(self, stage: &Stage) -> Result<(), String> {
        match (self, stage.backing.redis(), stage.backing.postgres()) {
            (Self::RedisStops, Some(redis), _) => redis.lock().await.start_again().await?,
            (Self::RedisHangs, Some(redis), _) => redis.lock().await.go_on(),
            (Self::PostgresCrashes, _, Some(postgres)) => postgres.lock().await.start_again().await?,
            _ => {}
        }
        Ok(())
    }
}

/// Runs the scenario.
pub(super) async fn run(stage: &Stage, fault: Fault) -> Result<Findings, String> {
    if !fault.is_possible(stage) {
        return Ok(Findings::skipped("needs services of its own: leave out --database-url and --redis-url"));
    }
    let limit_nanousd = errand("before-0", TOKENS).told("gate=before-0").ceiling_nanousd()? * ROOM;
    let deployment = stage.deployment(&[(BUDGET_DAY, &format_usd(limit_nanousd)), REDIS_IS_MISSED]).await?;
    let processes = deployment.start_many(Route::Messages.function(), 2).await?;

    // What is spent before must not be spent again.
    come(&deployment, &processes, "earlier", EARLIER).await;
    let (running, standing) = begin_calls(&deployment, &processes).await;
    fault.begin(stage, &deployment).await?;
    let meanwhile = come(&deployment, &processes, "meanwhile", stage.amount(24, 12)).await;
    for place in 0..RUNNING {
        deployment.claude.open_gate(&format!("before-{place}"));
    }
    let whole = running.join_all().await.into_iter().filter(|is_whole| *is_whole).count();
    // More come while the first ones settle.
    come(&deployment, &processes, "still", stage.amount(12, 6)).await;
    fault.end(stage).await?;
    for wave in 0..stage.amount(4, 2) {
        come(&deployment, &processes, &format!("after{wave}"), stage.amount(24, 12)).await;
        // What the outage left to do is done now: whatever still holds money holds it for good.
        for process in &processes {
            process.quiet().await;
        }
    }
    let mut findings = audit(&deployment, &[Budget { name: "deployment-day", limit_nanousd }]).await?;
    let holds = whole == standing && standing > 0;
    findings.expect(holds, &format!("of {standing} answers that were on their way, {whole} came whole"));
    // That what was over is free again; a machine that is busy may refuse some.
    let least = usize::try_from(ROOM / 2).unwrap_or(usize::MAX);
    let (billed, holds) = (findings.billed, findings.billed >= least);
    let told = format!("a budget with room for {ROOM} calls paid for {billed}, {meanwhile} of them in the outage");
    findings.expect(holds, &told);
    Ok(findings)
}

fn errand(label: &str, tokens: u64) -> Errand {
    Errand::new(Route::Messages, label, format!("caller-{label}")).using(tokens)
}

/// Calls that stand in mid-stream, and how many do.
async fn begin_calls(deployment: &Arc<Deployment>, processes: &[Arc<Process>]) -> (JoinSet<bool>, usize) {
    let mut running = JoinSet::new();
    for place in 0..RUNNING {
        let label = format!("before-{place}");
        let errand = errand(&label, TOKENS).told(&format!("gate={label}"));
        let (deployment, process) = (deployment.clone(), processes[place % processes.len()].clone());
        running.spawn(async move { deployment.complete(&process, &errand).await });
    }
    let labels: Vec<_> = (0..RUNNING).map(|place| format!("before-{place}")).collect();
    let standing = deployment.standing(&labels).await;
    (running, standing)
}

/// Calls that come at the same time; how many had a whole answer.
async fn come(deployment: &Arc<Deployment>, processes: &[Arc<Process>], name: &str, count: usize) -> usize {
    let calls = (0..count).map(|place| {
        let errand = errand(&format!("{name}-{place}"), TOKENS);
        (processes[place % processes.len()].clone(), errand)
    });
    deployment.complete_all(calls.collect()).await
}
