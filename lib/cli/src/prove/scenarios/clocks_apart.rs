//! Functions whose clocks are an hour apart share one budget and one ledger all the same.

use purser::cost::format_usd;

use crate::prove::{
    audit::{Budget, audit},
    deployment::BUDGET_MONTH,
    errand::{Errand, Route},
    findings::Findings,
    stage::Stage,
};

const ROOM: i64 = 8;
const TOKENS: u64 = 2_000;
const HOUR_MS: &str = "3600000";

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    if stage.is_release {
        return Ok(Findings::skipped("release builds have no clock to put off"));
    }
    let limit_nanousd = errand("0").ceiling_nanousd()? * ROOM;
    let deployment = stage.deployment(&[(BUDGET_MONTH, &format_usd(limit_nanousd))]).await?;
    let mut processes = Vec::new();
    for step in ["0".to_owned(), HOUR_MS.to_owned(), format!("-{HOUR_MS}")] {
        let function = Route::Messages.function();
        processes.push(deployment.start_with(function, &[("PURSER_CLOCK_STEP_MS", &step)]).await?);
    }
    for wave in 0..stage.amount(4, 2) {
        let calls = (0..stage.amount(30, 15))
            .map(|place| (processes[place % processes.len()].clone(), errand(&format!("{wave}-{place}"))));
        deployment.complete_all(calls.collect()).await;
    }
    let mut findings = audit(&deployment, &[Budget { name: "deployment-month", limit_nanousd }]).await?;
    let (billed, room) = (findings.billed, usize::try_from(ROOM).unwrap_or_default());
    findings.expect(billed >= room, &format!("a budget with room for {room} calls paid for {billed}"));
    Ok(findings)
}

fn errand(label: &str) -> Errand {
    Errand::new(Route::Messages, label, format!("caller-{label}")).using(TOKENS)
}
