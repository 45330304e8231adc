//! An answer that breaks off on Claude's side is charged for what came, and never for less: after any event, with or
//! without its usage, by an error or by silence. A refusal that costs nothing is charged nothing.

use std::sync::Arc;

use crate::prove::{
    audit::audit,
    deployment::BUDGET_MONTH,
    errand::{Errand, Route},
    findings::Findings,
    process::Process,
    stage::Stage,
};

/// More than any of these answers has.
const EVENTS: usize = 9;

const AT_ONCE: usize = 12;

/// Ends that stand for themselves.
const ENDS: [&str; 12] = [
    "no_final deltas=4",
    "no_stop deltas=4",
    "no_usage deltas=4",
    "no_usage=final deltas=4",
    "cut_before_head",
    "error=overloaded_error status=529",
    "error=rate_limit_error status=429 retry_after=1",
    "error=api_error status=500",
    "error=invalid_request_error status=400",
    "refusal",
    "refusal=mid deltas=4",
    "model_echo=claude-haiku-5-5-20260901 deltas=4",
];

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let deployment = stage.deployment(&[(BUDGET_MONTH, "100000")]).await?;
    let mut calls: Vec<(Arc<Process>, Errand)> = Vec::new();
    for route in Route::ALL {
        let process = deployment.start(route.function()).await?;
        let mut add = |name: String, directives: &str| {
            let label = format!("{name}-{route:?}");
            let errand = Errand::new(route, label.clone(), label).told(directives);
            calls.push((process.clone(), Errand { tells_usage: false, ..errand }));
        };
        for (end, directives) in ENDS.iter().enumerate() {
            add(format!("end{end}"), directives);
        }
        for event in (0..=EVENTS).step_by(stage.amount(1, 2)) {
            add(format!("cut{event}"), &format!("deltas=4 cut_after={event}"));
            add(format!("error{event}"), &format!("deltas=4 mid_error=overloaded_error@{event}"));
        }
    }
    let asked = calls.len();
    // What is tried here is Claude's end, not how much a single process takes.
    for some in calls.chunks(AT_ONCE) {
        deployment.complete_all(some.to_vec()).await;
    }
    let mut findings = audit(&deployment, &[]).await?;
    let holds = findings.billed * 2 >= asked;
    findings.expect(holds, &format!("of {asked} calls that broke off, Claude billed only {}", findings.billed));
    Ok(findings)
}
