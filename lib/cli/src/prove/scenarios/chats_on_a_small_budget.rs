//! Conversations whose history grows from turn to turn, on a budget that they spend to its end: what a turn turns out
//! to need more than was held at first is held as well, or the turn is not made.

use purser::cost::format_usd;
use tokio::task::JoinSet;

use crate::prove::{
    audit::{Budget, audit},
    deployment::BUDGET_DAY,
    errand::{Errand, Route},
    findings::Findings,
    stage::Stage,
};

const TURNS: usize = 8;
const LIMIT_NANOUSD: i64 = 100_000_000;
/// Of each message: the histories come to a multiple of what a turn holds at first.
const WORDS: usize = 1_500;

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let deployment = stage.deployment(&[(BUDGET_DAY, &format_usd(LIMIT_NANOUSD))]).await?;
    let processes = deployment.start_many(Route::Chat.function(), 2).await?;
    let mut chats = JoinSet::new();
    for chat in 0..stage.amount(24, 10) {
        let (deployment, process) = (deployment.clone(), processes[chat % processes.len()].clone());
        chats.spawn(async move {
            for turn in 0..TURNS {
                let label = format!("{chat}-{turn}");
                let errand = Errand::new(Route::Chat, label, format!("caller-{chat}")).using(1_000);
                let conversation = Some((format!("chat-{chat}"), WORDS));
                deployment.complete(&process, &Errand { conversation, ..errand }).await;
            }
        });
    }
    chats.join_all().await;
    let budget = Budget { name: "deployment-day", limit_nanousd: LIMIT_NANOUSD };
    let mut findings = audit(&deployment, &[budget]).await?;
    let refused = deployment.witness.all().values().filter(|seen| seen.status == Some(429)).count();
    let billed = findings.billed;
    let told = format!("of {} turns, {billed} were made and {refused} refused", findings.calls);
    findings.expect(billed > 0 && refused > 0, &told);
    Ok(findings)
}
