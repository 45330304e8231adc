//! Every user has a budget of their own, and so has every plan: many calls at once spend them to the end, never beyond
//! them, and never from another user's.

use std::sync::Arc;

use purser::{cost::format_usd, env};

use crate::prove::{
    audit::audit,
    errand::{Errand, Route},
    findings::Findings,
    process::Process,
    stage::Stage,
};

const NAME: &str = "nearly spent users";
/// Calls that a user's budget has room for; the plan's has room for two users and a half.
const ROOM: i64 = 4;
const TOKENS: u64 = 2_000;
/// Calls of a user at the same time: fewer than the plan's slots.
const CALLS: usize = 12;

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let user_nanousd = errand("free-0-0-00", "free-0", "free").ceiling_nanousd()? * ROOM;
    let budgets = format!(
        "pro.user-day={},pro.plan-month={},free.user-month={},free.plan-day={}",
        format_usd(user_nanousd),
        format_usd(user_nanousd * 5 / 2),
        format_usd(user_nanousd * 2 / 3),
        format_usd(user_nanousd * 100),
    );
    let deployment = stage.deployment(&[(env::PLAN_BUDGETS_USD.name, &budgets)]).await?;
    let processes = deployment.start_many(Route::Messages.function(), 3).await?;
    let mut dice = stage.dice(NAME);
    let users = stage.amount(5, 3);
    for wave in 0..3 {
        let mut calls: Vec<(Arc<Process>, Errand)> = Vec::new();
        for user in 0..users {
            for place in 0..CALLS {
                // A free caller has fewer slots and fewer requests.
                let plan = if place < 3 { "free" } else { "pro" };
                let user = format!("{plan}-{user}");
                let errand = errand(&format!("{user}-{wave}-{place:02}"), &user, plan);
                calls.push((processes[dice.place(processes.len())].clone(), errand));
            }
        }
        deployment.complete_all(calls).await;
    }
    let mut findings = audit(&deployment, &[]).await?;
    let (billed, fit) = (findings.billed, 2 * users + 8);
    findings.expect(billed >= fit, &format!("budgets with room for {fit} calls paid for {billed}"));
    Ok(findings)
}

fn errand(label: &str, user: &str, plan: &'static str) -> Errand {
    let errand = Errand::new(Route::Messages, label, user).using(TOKENS);
    Errand { plan, ..errand }
}
