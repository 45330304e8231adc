//! A client that leaves pays for the whole answer, whenever it leaves: before the head, after any event of any kind
//! of answer, and on every route.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::timeout};

use crate::prove::{
    audit::audit,
    deployment::{BUDGET_MONTH, Deployment},
    errand::{Errand, Route},
    findings::Findings,
    process::Process,
    stage::Stage,
};

const ATTEMPTS: usize = 5;

/// Kinds of answers: text, thinking, a tool's input, searches, usage that grows while they run.
const KINDS: [&str; 6] = [
    "deltas=3",
    "thinking deltas=2 tokens=500",
    "tool",
    "web_search=1 deltas=2",
    "usage_growth=70 cache_growth=900 deltas=2 message_deltas=2",
    "refusal=mid unknown_event unknown_block deltas=2",
];

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let deployment = stage.deployment(&[(BUDGET_MONTH, "100000")]).await?;
    let mut leaving = 0;
    for (kind, directives) in KINDS.iter().enumerate().take(stage.amount(KINDS.len(), 3)) {
        leaving += leave_everywhere(stage, &deployment, kind, directives).await?;
    }
    leave_at_any_moment(stage, &deployment).await?;
    let mut findings = audit(&deployment, &[]).await?;
    let holds = findings.billed >= leaving;
    findings.expect(holds, &format!("of {leaving} calls that clients left, Claude billed {}", findings.billed));
    findings.expect_no_repair();
    Ok(findings)
}

async fn leave_everywhere(
    stage: &Stage,
    deployment: &Arc<Deployment>,
    kind: usize,
    directives: &str,
) -> Result<usize, String> {
    let mut leaving = 0;
    for route in Route::ALL {
        let process = deployment.start(route.function()).await?;
        let whole = Errand::new(Route::Messages, format!("{kind}-{route:?}-whole"), format!("{kind}-{route:?}"));
        let events = match route {
            Route::Whole => 0,
            // Other routes have events of their own; Claude's are counted on the route that passes them on.
            _ => events_of(deployment, whole.told(directives)).await?,
        };
        let step = stage.amount(1, 3);
        let mut calls = JoinSet::new();
        for event in (0..=events).step_by(step) {
            let label = format!("{kind}-{route:?}-{event}");
            let errand = Errand::new(route, label.clone(), label.clone()).told(directives);
            calls.spawn(leave(
                deployment.clone(),
                process.clone(),
                errand.told(&format!("gate={label}@{event}")),
                label,
            ));
            leaving += 1;
        }
        calls.join_all().await;
        process.quiet().await;
    }
    Ok(leaving)
}

/// Also while the function still asks for room or writes ahead: whatever it has begun it ends.
async fn leave_at_any_moment(stage: &Stage, deployment: &Arc<Deployment>) -> Result<(), String> {
    let mut dice = stage.dice("clients leave");
    for route in Route::ALL {
        let process = deployment.start(route.function()).await?;
        let mut calls = JoinSet::new();
        for place in 0..stage.amount(60, 15) {
            let label = format!("any-{route:?}-{place}");
            let errand = Errand::new(route, label.clone(), label).told("deltas=3");
            let (deployment, process) = (deployment.clone(), process.clone());
            let patience = Duration::from_micros(dice.below(60_000));
            calls.spawn(async move {
                // What the client waits for is not the answer but the end of its patience.
                let _ = timeout(patience, deployment.complete(&process, &errand)).await;
            });
        }
        calls.join_all().await;
    }
    Ok(())
}

/// How many events the answer has. A busy machine may have to be asked again.
async fn events_of(deployment: &Deployment, errand: Errand) -> Result<usize, String> {
    let process = deployment.start(errand.route.function()).await?;
    let mut told = "nothing".to_owned();
    for attempt in 0..ATTEMPTS {
        let errand = Errand { label: format!("{}-{attempt}", errand.label), ..errand.clone() };
        let Some(coming) = deployment.call(&process, &errand).await else { continue };
        let answer = coming.rest().await;
        if answer.is_whole() {
            return Ok(answer.events());
        }
        told = answer.text;
    }
    Err(format!("a call without any fault was not answered: {told}"))
}

/// The client goes when the stream stands at the gate; then the gate opens.
async fn leave(deployment: Arc<Deployment>, process: Arc<Process>, errand: Errand, gate: String) {
    tokio::select! {
        // An answer whose head has come is held, not read, until the gate is reached.
        coming = deployment.call(&process, &errand) => {
            deployment.reached(&gate).await;
            drop(coming);
        }
        _ = deployment.reached(&gate) => {}
    }
    deployment.claude.open_gate(&gate);
}
