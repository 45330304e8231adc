//! A budget that has room for ten calls admits ten of many that come at once, and never pays for more: neither the
//! day's nor the month's, and also not with what is left at the end.

use std::sync::Arc;

use purser::cost::format_usd;
use tokio::task::JoinSet;

use crate::prove::{
    audit::{Budget, audit},
    deployment::{BUDGET_DAY, BUDGET_MONTH, Deployment},
    errand::{Errand, Route},
    findings::Findings,
    process::Process,
    stage::Stage,
};

/// Calls that fit at once.
const ROOM: i64 = 10;
const TOKENS: u64 = 3_000;
const NAME: &str = "nearly spent budget";

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let mut findings = Findings::default();
    for tight in ["deployment-day", "deployment-month"] {
        findings.add(&rush(stage, tight).await?);
    }
    Ok(findings)
}

async fn rush(stage: &Stage, tight: &'static str) -> Result<Findings, String> {
    let ceiling_nanousd = errand(0, TOKENS).told("gate=rush").ceiling_nanousd()?;
    let limit_nanousd = ceiling_nanousd * ROOM + ceiling_nanousd / 2;
    let wide_nanousd = ceiling_nanousd * 10_000;
    let (day, month) =
        if tight == "deployment-day" { (limit_nanousd, wide_nanousd) } else { (wide_nanousd, limit_nanousd) };
    let vars = [(BUDGET_DAY, format_usd(day)), (BUDGET_MONTH, format_usd(month))];
    let vars = vars.each_ref().map(|(name, value)| (*name, value.as_str()));
    let deployment = stage.deployment(&vars).await?;
    let processes = deployment.start_many(Route::Messages.function(), 3).await?;
    let callers = stage.amount(64, 32);
    let admitted = at_once(&deployment, &processes, callers).await;
    let unavailable = deployment.witness.count(503);
    spend_the_rest(stage, &deployment, &processes, callers).await;
    let mut findings = audit(&deployment, &[Budget { name: tight, limit_nanousd }]).await?;
    let room = usize::try_from(ROOM).unwrap_or_default();
    // A machine that is busy may keep the limiter from answering in time: then nothing is promised.
    let holds = admitted + unavailable >= room;
    findings.expect(holds, &format!("{tight}: {admitted} of {room} calls that fit were admitted"));
    findings.expect_no_repair();
    Ok(findings)
}

fn errand(number: usize, tokens: u64) -> Errand {
    Errand::new(Route::Messages, format!("{number:04}"), format!("caller-{number:04}")).using(tokens)
}

/// All come before one of them is over.
async fn at_once(deployment: &Arc<Deployment>, processes: &[Arc<Process>], callers: usize) -> usize {
    let mut heads = JoinSet::new();
    for number in 0..callers {
        let (deployment, process) = (deployment.clone(), processes[number % processes.len()].clone());
        heads.spawn(async move { deployment.call(&process, &errand(number, TOKENS).told("gate=rush")).await });
    }
    let admitted: Vec<_> = heads.join_all().await.into_iter().flatten().filter(|call| call.status == 200).collect();
    deployment.claude.open_gate("rush");
    let count = admitted.len();
    let mut answers = JoinSet::new();
    for call in admitted {
        answers.spawn(call.rest());
    }
    answers.join_all().await;
    for process in processes {
        process.quiet().await;
    }
    count
}

/// Waves of calls of all sizes, until none fits.
async fn spend_the_rest(stage: &Stage, deployment: &Arc<Deployment>, processes: &[Arc<Process>], callers: usize) {
    let mut dice = stage.dice(NAME);
    for wave in 1..=stage.amount(6, 3) {
        let mut calls = Vec::new();
        for place in 0..callers {
            let errand = errand(wave * 1_000 + place, 100 + dice.below(TOKENS));
            calls.push((processes[dice.place(processes.len())].clone(), errand));
        }
        if deployment.complete_all(calls).await == 0 {
            return;
        }
    }
}
