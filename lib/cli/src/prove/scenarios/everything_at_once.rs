//! Callers of all kinds on all routes, while processes are killed and told to stop and services fail, in an order
//! that the seed decides.

use std::{sync::Arc, time::Duration};

use purser::cost::format_usd;
use tokio::{task::JoinSet, time::sleep};

use super::outage::Fault;
use crate::prove::{
    audit::{Budget, audit},
    deployment::{BUDGET_MONTH, Deployment, REDIS_IS_MISSED},
    dice::Dice,
    errand::{Errand, Route},
    findings::Findings,
    process::Process,
    stage::Stage,
};

const CALLS: usize = 20;

/// What the stand-in may be told. A call whose answer does not tell its usage may be guessed.
const MISCHIEF: [(&str, bool); 10] = [
    ("deltas=3", true),
    ("deltas=8 thinking", true),
    ("deltas=2 usage_growth=40 cache_growth=300", true),
    ("latency_ms=20 deltas=4", true),
    ("delta_ms=4 deltas=10", true),
    ("cut_after=4 deltas=5", false),
    ("mid_error=overloaded_error deltas=5", false),
    ("no_usage=final deltas=3", false),
    ("error=overloaded_error status=529", false),
    ("refusal=mid deltas=3", true),
];

const FAULTS: [Fault; 4] = [Fault::RedisStops, Fault::RedisHangs, Fault::RedisIsEmptied, Fault::PostgresCrashes];

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let mut dice = stage.dice("everything at once");
    // Room for some of the chats, whose prompts are bounded by their plan and not by their words.
    let limit_nanousd = 40_000_000_000;
    let deployment = stage.deployment(&[(BUDGET_MONTH, &format_usd(limit_nanousd)), REDIS_IS_MISSED]).await?;
    let mut processes = Vec::new();
    for route in Route::ALL {
        processes.push((route, deployment.start(route.function()).await?));
    }
    for round in 0..stage.amount(16, 4) {
        let callers = callers(&deployment, &processes, &mut dice, round);
        strike(stage, &deployment, &mut processes, &mut dice).await?;
        callers.join_all().await;
    }
    let mut findings = audit(&deployment, &[Budget { name: "deployment-month", limit_nanousd }]).await?;
    let holds = findings.billed > 0;
    findings.expect(holds, "Claude billed no call");
    Ok(findings)
}

fn callers(
    deployment: &Arc<Deployment>,
    processes: &[(Route, Arc<Process>)],
    dice: &mut Dice,
    round: usize,
) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for place in 0..CALLS {
        let (route, process) = processes[dice.place(processes.len())].clone();
        let (directives, tells_usage) = MISCHIEF[dice.place(MISCHIEF.len())];
        let label = format!("{round}-{place}");
        let errand = Errand::new(route, label.clone(), label).told(directives);
        let errand = Errand { tells_usage, ..errand };
        let patience = Duration::from_micros(dice.below(60_000));
        let stays = !dice.once_in(3);
        let deployment = deployment.clone();
        callers.spawn(async move {
            let call = deployment.complete(&process, &errand);
            if stays {
                call.await;
            } else {
                // A client that leaves at any moment.
                let _ = tokio::time::timeout(patience, call).await;
            }
        });
    }
    callers
}

/// One thing goes wrong, at some moment of the round, and is over before the next one.
async fn strike(
    stage: &Stage,
    deployment: &Deployment,
    processes: &mut [(Route, Arc<Process>)],
    dice: &mut Dice,
) -> Result<(), String> {
    sleep(Duration::from_micros(dice.below(50_000))).await;
    let (place, kind) = (dice.place(processes.len()), dice.below(8));
    let lasts = Duration::from_millis(dice.below(800));
    let (route, process) = processes[place].clone();
    match kind {
        0 | 1 => process.kill().await,
        2 | 3 => process.tell_to_stop(),
        kind => {
            let fault = FAULTS[usize::try_from(kind).unwrap_or_default() % FAULTS.len()];
            if fault.is_possible(stage) {
                fault.begin(stage, deployment).await?;
                sleep(lasts).await;
                fault.end(stage).await?;
            }
            return Ok(());
        }
    }
    processes[place].1 = deployment.start(route.function()).await?;
    Ok(())
}
