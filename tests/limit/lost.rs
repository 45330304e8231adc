//! Budgets that the store may have forgotten, and what the ledger says of them.

use purser::{
    ids::CallId,
    limit::{Decision, Obstacle, Opening, Overdue, Policy, Reading, RunningCall},
};

use crate::rig::{HOLD_MS, Rig, START_MS, budget, budget_of, in_flight};

/// A budget whose period began before any of these stores did.
fn older(name: &str, limit_nanousd: i64) -> Policy {
    budget_of("user:1:2026-12", name, limit_nanousd, START_MS - 1_000)
}

fn opening(policy: &Policy, settled_nanousd: i64) -> Opening {
    Opening { policy: policy.clone(), settled_nanousd, settling: Vec::new(), running: Vec::new() }
}

fn running(call_id: &CallId, hold_nanousd: i64) -> RunningCall {
    RunningCall { call_id: call_id.clone(), hold_nanousd, ends_at_ms: START_MS + HOLD_MS }
}

#[tokio::test]
async fn a_budget_that_may_be_forgotten_admits_nothing_until_it_is_opened() {
    for rig in Rig::all().await {
        let policies = [in_flight("running", 9), older("month", 1_000), budget("day", 1_000)];
        let lost = Obstacle::Lost { accounts: vec![1], epoch_ms: START_MS };
        assert_eq!(rig.ask(&policies, 100).await.1, Decision::Obstructed(lost.clone()), "{}", rig.name);
        assert_eq!(rig.limiter.peek(&policies).await.unwrap(), Reading::Obstructed(lost), "{}", rig.name);
        rig.limiter.open(&opening(&policies[1], 850)).await.unwrap();
        assert!(!rig.admits(&policies, 151).await, "{}", rig.name);
        assert!(rig.admits(&policies, 150).await, "{}", rig.name);
        let left: Vec<_> = rig.peek(&policies).await.iter().map(|standing| standing.remaining).collect();
        assert_eq!(left, [8, 0, 850], "{}", rig.name);
    }
}

#[tokio::test]
async fn an_open_budget_is_not_opened_again() {
    for rig in Rig::all().await {
        let policies = [older("month", 1_000)];
        rig.limiter.open(&opening(&policies[0], 100)).await.unwrap();
        let (call_id, _) = rig.ask(&policies, 200).await;
        rig.settle(&call_id, &policies, 50).await;
        rig.limiter.open(&opening(&policies[0], 999)).await.unwrap();
        assert_eq!(rig.left(&policies[0]).await.0, 850, "{}", rig.name);
    }
}

#[tokio::test]
async fn running_calls_hold_their_money_in_an_opened_budget() {
    for rig in Rig::all().await {
        let (policies, call_id) = ([older("month", 1_000)], CallId::new());
        let opening = Opening { running: vec![running(&call_id, 400)], ..opening(&policies[0], 100) };
        rig.limiter.open(&opening).await.unwrap();
        assert_eq!(rig.left(&policies[0]).await.0, 500, "{}", rig.name);
        rig.settle(&call_id, &policies, 30).await;
        rig.settle(&call_id, &policies, 30).await;
        assert_eq!(rig.left(&policies[0]).await.0, 870, "{}", rig.name);
    }
}

/// The ledger is settled first, the limiter a moment later, and an account may be opened in between.
#[tokio::test]
async fn a_call_that_is_on_its_way_while_its_budget_is_opened_counts_once() {
    for rig in Rig::all().await {
        let policies = [older("month", 1_000), older("day", 1_000)];
        let [before, between] = [CallId::new(), CallId::new()];
        // Settled by the ledger before it was read, and here only afterwards.
        let on_its_way = Opening { settling: vec![before.clone()], ..opening(&policies[0], 70) };
        rig.limiter.open(&on_its_way).await.unwrap();
        rig.settle(&before, &policies, 70).await;
        rig.settle(&before, &policies, 70).await;
        assert_eq!(rig.left(&policies[0]).await.0, 930, "{}", rig.name);
        // The other budget was lost still; the ledger knows the call by now.
        rig.limiter.open(&opening(&policies[1], 70)).await.unwrap();
        assert_eq!(rig.left(&policies[1]).await.0, 930, "{}", rig.name);

        // Running when the ledger was read, settled here before the account was opened.
        let third = [budget_of("user:1:2026-12", "third", 1_000, START_MS - 1_000)];
        rig.settle(&between, &third, 25).await;
        let stale = Opening { running: vec![running(&between, 400)], ..opening(&third[0], 0) };
        rig.limiter.open(&stale).await.unwrap();
        assert_eq!(rig.left(&third[0]).await.0, 975, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_budget_of_another_period_is_told_the_time() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (call_id, _) = rig.ask(&policies, 500).await;
        for at in [-1, 600_000] {
            rig.at(at);
            let over = Obstacle::OtherPeriod { now_ms: START_MS + at };
            assert_eq!(rig.ask(&policies, 1).await.1, Decision::Obstructed(over.clone()), "{}", rig.name);
            assert_eq!(rig.limiter.peek(&policies).await.unwrap(), Reading::Obstructed(over), "{}", rig.name);
        }
        // What was begun in it is settled in it.
        rig.settle(&call_id, &policies, 300).await;
        rig.at(599_999);
        assert_eq!(rig.left(&policies[0]).await.0, 700, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_hold_that_outlives_its_slot_is_reported_and_keeps_its_money() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000), in_flight("running", 2)];
        let call_id = CallId::new();
        rig.ask_for(&call_id, &policies, 600, 1_000).await;
        rig.at(999);
        let overdue = |decision: Decision| match decision {
            Decision::Admitted { overdue, .. } | Decision::Refused { overdue, .. } => overdue,
            other => panic!("{other:?}"),
        };
        let (young, decision) = rig.ask(&policies, 100).await;
        assert_eq!(overdue(decision), [], "{}", rig.name);
        rig.release(&young, &policies).await;
        rig.at(1_000);
        let dead = Overdue { call_id: call_id.clone(), hold_nanousd: 600 };
        let late = CallId::new();
        let decision = rig.ask_for(&late, &policies, 500, 1_000).await;
        assert!(!decision.is_admitted(), "{}", rig.name);
        assert_eq!(overdue(decision), std::slice::from_ref(&dead), "{}", rig.name);
        let left: Vec<_> = rig.peek(&policies).await.iter().map(|standing| standing.remaining).collect();
        assert_eq!(left, [400, 2], "{}: the slot is free, the money is not", rig.name);
        rig.limiter.forget(&dead, &policies).await.unwrap();
        rig.limiter.forget(&dead, &policies).await.unwrap();
        assert_eq!(rig.left(&policies[0]).await.0, 1_000, "{}", rig.name);
    }
}
