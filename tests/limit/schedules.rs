//! Random schedules: no span of a window holds too many, waits are exact, and all backends decide alike.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use purser::{
    ids::CallId,
    limit::{Decision, Policy},
};
use purser_tests::services;
use tokio::runtime::Runtime;

use crate::rig::{HOLD_MS, Rig, budget, in_flight, open, window};

fn cases(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// The same policy for a subject of its own.
fn fresh(mut policy: Policy, fresh_subject: &str) -> Policy {
    match &mut policy {
        Policy::Window { subject, .. } | Policy::Budget { subject, .. } | Policy::InFlight { subject, .. } => {
            fresh_subject.clone_into(subject);
        }
    }
    policy
}

/// Asks after each of the pauses; where it is refused, tries the millisecond before the wait is over, then the
/// moment itself. Gives back when calls were admitted.
async fn follow(rig: &Rig, policy: Policy, pauses: &[i64]) -> Vec<i64> {
    let policies = [policy];
    let mut admitted = Vec::new();
    let start = rig.now();
    for pause in pauses {
        rig.at(rig.now() + pause);
        match rig.ask(&policies, 0).await.1 {
            Decision::Admitted { .. } => {}
            Decision::Obstructed(obstacle) => panic!("{}: {obstacle:?}", rig.name),
            Decision::Refused { retry_after_ms, standings, .. } => {
                let wait = i64::try_from(retry_after_ms.unwrap()).unwrap();
                assert_eq!(standings[0].reset_ms, retry_after_ms, "{}", rig.name);
                let then = rig.now() + wait;
                rig.at(then - 1);
                assert!(!rig.admits(&policies, 0).await, "{}: {wait} ms is too long", rig.name);
                rig.at(then);
                assert!(rig.admits(&policies, 0).await, "{}: {wait} ms is too short", rig.name);
            }
            other => panic!("{}: {other:?}", rig.name),
        }
        admitted.push(rig.now() - start);
    }
    admitted
}

#[test]
fn no_span_of_a_window_ever_holds_more_than_its_limit() {
    let runtime = Runtime::new().unwrap();
    let rigs = runtime.block_on(Rig::all());
    let schedule = (1..6_usize, 1..2_000_u64, proptest::collection::vec(0..700_i64, 1..30));
    cases(24)
        .run(&schedule, |(limit, window_ms, pauses)| {
            for rig in &rigs {
                let policy = fresh(window("requests", limit as u64, window_ms), &services::unique("s"));
                let admitted = runtime.block_on(follow(rig, policy, &pauses));
                for (first, one_too_many) in admitted.iter().zip(&admitted[limit.min(admitted.len())..]) {
                    let span = u64::try_from(one_too_many - first).unwrap();
                    prop_assert!(span >= window_ms, "{}: {admitted:?}", rig.name);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Pause(i64),
    Ask { kinds: u8, hold: i64 },
    Settle { call: usize, actual: i64 },
    Release { call: usize },
    AskAgain { call: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![0..300_i64, HOLD_MS - 5..HOLD_MS + 5].prop_map(Step::Pause),
        6 => (1..32_u8, 0..300_i64).prop_map(|(kinds, hold)| Step::Ask { kinds, hold }),
        3 => (any::<usize>(), 0..400_i64).prop_map(|(call, actual)| Step::Settle { call, actual }),
        2 => any::<usize>().prop_map(|call| Step::Release { call }),
        1 => any::<usize>().prop_map(|call| Step::AskAgain { call }),
    ]
}

/// What the backend answers, step by step.
async fn play(rig: &Rig, steps: &[Step], subject: &str) -> Vec<String> {
    let policies = [
        window("hour", 6, 100_000),
        window("burst", 2, 400),
        in_flight("running", 3),
        budget("day", 700),
        budget("month", 1_500),
    ]
    .map(|policy| fresh(policy, subject));
    open(&rig.limiter, &policies).await;
    let mut calls: Vec<(CallId, Vec<Policy>, i64)> = Vec::new();
    let mut answers = Vec::new();
    for step in steps {
        let known = |call: &usize| calls.get(call % calls.len().max(1));
        match step {
            Step::Pause(ms) => rig.at(rig.now() + ms),
            Step::Ask { kinds, hold } => {
                let chosen: Vec<_> = (0..5).filter(|i| kinds & (1 << i) != 0).map(|i| policies[i].clone()).collect();
                let (call_id, decision) = rig.ask(&chosen, *hold).await;
                answers.push(format!("{decision:?}"));
                calls.push((call_id, chosen, *hold));
            }
            Step::Settle { call, actual } => {
                if let Some((call_id, policies, _)) = known(call) {
                    rig.settle(call_id, policies, *actual).await;
                }
            }
            Step::Release { call } => {
                if let Some((call_id, policies, _)) = known(call) {
                    rig.release(call_id, policies).await;
                }
            }
            Step::AskAgain { call } => {
                if let Some((call_id, policies, hold)) = known(call) {
                    answers.push(format!("{:?}", rig.ask_as(call_id, policies, *hold).await));
                }
            }
        }
        answers.push(format!("{:?}", rig.peek(&policies).await));
    }
    answers
}

#[test]
fn all_backends_decide_alike() {
    let runtime = Runtime::new().unwrap();
    let rigs = runtime.block_on(Rig::all());
    cases(32)
        .run(&proptest::collection::vec(step(), 1..40), |steps| {
            let subject = services::unique("s");
            let mut answers = rigs.iter().map(|rig| {
                rig.at(0);
                (rig.name, runtime.block_on(play(rig, &steps, &subject)))
            });
            let (_, first) = answers.next().unwrap();
            for (name, other) in answers {
                for (i, (expected, answer)) in first.iter().zip(&other).enumerate() {
                    prop_assert_eq!(expected, answer, "redis and {} at answer {}", name, i);
                }
            }
            Ok(())
        })
        .unwrap();
}
