//! Many long answers at once on a budget that has no room for all of them: however little each holds at first, none
//! goes on without money.

use std::sync::Arc;

use purser::cost::format_usd;

use crate::prove::{
    audit::{Budget, audit},
    deployment::BUDGET_MONTH,
    errand::{Errand, Route},
    findings::Findings,
    process::Process,
    stage::Stage,
};

/// Whole answers that fit.
const ROOM: i64 = 4;
/// The stand-in counts four bytes a token.
const TOKENS: u64 = 1_500;
const WORD: &str = "on and ";

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let limit_nanousd = errand("00-00").ceiling_nanousd()? * ROOM;
    let deployment = stage.deployment(&[(BUDGET_MONTH, &format_usd(limit_nanousd))]).await?;
    let processes = deployment.start_many(Route::Messages.function(), 2).await?;
    for wave in 0..stage.amount(3, 2) {
        let calls = (0..stage.amount(24, 12)).map(|place| -> (Arc<Process>, Errand) {
            (processes[place % processes.len()].clone(), errand(&format!("{wave:02}-{place:02}")))
        });
        deployment.complete_all(calls.collect()).await;
    }
    let budget = Budget { name: "deployment-month", limit_nanousd };
    let mut findings = audit(&deployment, &[budget]).await?;
    let (billed, room) = (findings.billed, usize::try_from(ROOM).unwrap_or_default());
    findings.expect(billed >= room, &format!("a budget with room for {room} long answers paid for {billed}"));
    Ok(findings)
}

/// What it says is as long as what it costs: a stream that is ended is counted by its words.
fn errand(label: &str) -> Errand {
    let words = WORD.repeat(usize::try_from(TOKENS).unwrap_or_default() * 4 / WORD.len());
    let errand = Errand::new(Route::Messages, label, format!("caller-{label}"));
    Errand { max_tokens: TOKENS, ..errand }.told(&format!("deltas=50 delta_ms=4 text=\"{words}\""))
}
