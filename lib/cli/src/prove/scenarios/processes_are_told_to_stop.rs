//! A process that is told to stop finishes what it has begun: every answer comes whole and is settled exactly. That
//! also holds for what it has begun before it has begun to answer.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use crate::prove::{
    audit::audit,
    deployment::{BUDGET_MONTH, Deployment},
    dice::Dice,
    errand::{Errand, Route},
    findings::Findings,
    stage::Stage,
};

const CALLS: usize = 6;

pub(super) async fn run(stage: &Stage) -> Result<Findings, String> {
    let mut dice = stage.dice("processes told to stop");
    let deployment = stage.deployment(&[(BUDGET_MONTH, "100000")]).await?;
    let (mut whole, mut standing, stopped) = (0, 0, stage.amount(12, 4));
    for round in 0..stopped {
        let (ended, began) = stop_one(&deployment, &mut dice, round).await?;
        whole += ended;
        standing += began;
        stop_at_any_moment(&deployment, &mut dice, round).await?;
    }
    let mut findings = audit(&deployment, &[]).await?;
    let holds = whole == standing && standing >= stopped;
    findings.expect(holds, &format!("of {standing} answers that were on their way, {whole} came whole"));
    findings.expect_no_repair();
    Ok(findings)
}

/// Some calls come too late, and some are being admitted or written ahead.
async fn stop_at_any_moment(deployment: &Arc<Deployment>, dice: &mut Dice, round: usize) -> Result<(), String> {
    let route = Route::ALL[dice.place(Route::ALL.len())];
    let process = deployment.start(route.function()).await?;
    let calls = (0..2 * CALLS).map(|place| {
        let label = format!("any-{round}-{place}");
        (process.clone(), Errand::new(route, label.clone(), label).told("deltas=4"))
    });
    let stop = async {
        sleep(Duration::from_micros(dice.below(50_000))).await;
        process.tell_to_stop();
    };
    tokio::join!(deployment.complete_all(calls.collect()), stop);
    process.terminate().await;
    Ok(())
}

/// How many answers came whole, and how many were on their way.
async fn stop_one(deployment: &Arc<Deployment>, dice: &mut Dice, round: usize) -> Result<(usize, usize), String> {
    let route = Route::ALL[dice.place(Route::ALL.len())];
    let process = deployment.start(route.function()).await?;
    let (mut calls, mut gates) = (JoinSet::new(), Vec::new());
    for place in 0..CALLS {
        let label = format!("{round}-{place}");
        let errand = Errand::new(route, label.clone(), label.clone()).told("deltas=6");
        let errand = errand.told(&format!("gate={label}@{}", dice.below(11)));
        gates.push(label);
        let (deployment, process) = (deployment.clone(), process.clone());
        calls.spawn(async move { deployment.complete(&process, &errand).await });
    }
    let standing = deployment.standing(&gates).await;
    process.tell_to_stop();
    for gate in gates {
        deployment.claude.open_gate(&gate);
    }
    let whole = calls.join_all().await.into_iter().filter(|is_whole| *is_whole).count();
    process.terminate().await;
    Ok((whole, standing))
}
