//! Holds that grow while their call runs.

use purser::{
    ids::CallId,
    limit::{Ask, Extension, Obstacle},
};

use crate::rig::{HOLD_MS, Rig, START_MS, budget, budget_of, in_flight, window};

async fn extend(rig: &Rig, call_id: &CallId, policies: &[purser::limit::Policy], hold_nanousd: i64) -> Extension {
    let hold_ttl_ms = u64::try_from(HOLD_MS).unwrap();
    let ask = Ask { call_id, identity: None, policies, hold_nanousd, slot_ttl_ms: hold_ttl_ms, hold_ttl_ms };
    rig.limiter.extend(&ask).await.unwrap()
}

#[tokio::test]
async fn a_hold_grows_in_all_budgets_or_in_none() {
    for rig in Rig::all().await {
        let policies = [window("hour", 1, 60_000), in_flight("running", 1), budget("day", 1_000), budget("month", 600)];
        let (call_id, _) = rig.ask(&policies, 100).await;
        assert_eq!(extend(&rig, &call_id, &policies, 600).await, Extension::Granted, "{}", rig.name);
        assert_eq!(extend(&rig, &call_id, &policies, 601).await, Extension::Refused, "{}", rig.name);
        let left: Vec<_> = rig.peek(&policies).await.iter().map(|standing| standing.remaining).collect();
        assert_eq!(left, [0, 0, 400, 0], "{}", rig.name);
        // Told less, or the same once more, it stays.
        assert_eq!(extend(&rig, &call_id, &policies, 50).await, Extension::Granted, "{}", rig.name);
        assert_eq!(extend(&rig, &call_id, &policies, 600).await, Extension::Granted, "{}", rig.name);
        rig.settle(&call_id, &policies, 550).await;
        let left: Vec<_> = rig.peek(&policies).await.iter().map(|standing| standing.remaining).collect();
        assert_eq!(left, [0, 1, 450, 50], "{}", rig.name);
        assert_eq!(extend(&rig, &call_id, &policies, 560).await, Extension::Refused, "{}: it is over", rig.name);
    }
}

#[tokio::test]
async fn a_grown_hold_lives_on_from_then() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (call_id, _) = rig.ask(&policies, 100).await;
        rig.at(HOLD_MS - 1);
        assert_eq!(extend(&rig, &call_id, &policies, 300).await, Extension::Granted, "{}", rig.name);
        rig.at(2 * HOLD_MS - 2);
        assert_eq!(rig.left(&policies[0]).await.0, 700, "{}", rig.name);
        rig.at(2 * HOLD_MS - 1);
        assert_eq!(rig.left(&policies[0]).await.0, 1_000, "{}", rig.name);
        // Its money may be somebody else's by now.
        assert!(rig.admits(&policies, 900).await, "{}", rig.name);
        assert_eq!(extend(&rig, &call_id, &policies, 400).await, Extension::Refused, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_call_over_midnight_grows_in_the_period_in_which_it_began() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        rig.at(599_999);
        let (call_id, _) = rig.ask(&policies, 100).await;
        rig.at(600_001);
        assert_eq!(extend(&rig, &call_id, &policies, 1_000).await, Extension::Granted, "{}", rig.name);
        assert_eq!(extend(&rig, &call_id, &policies, 1_001).await, Extension::Refused, "{}", rig.name);
    }
}

#[tokio::test]
async fn what_holds_nothing_does_not_grow() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        assert!(rig.admits(&policies, 1).await, "{}", rig.name);
        assert_eq!(extend(&rig, &CallId::new(), &policies, 10).await, Extension::Refused, "{}", rig.name);
        assert_eq!(rig.left(&policies[0]).await.0, 999, "{}", rig.name);
        let lost = [in_flight("running", 1), budget_of("user:1:2026-12", "month", 1_000, START_MS - 1)];
        let obstacle = Obstacle::Lost { accounts: vec![1], epoch_ms: START_MS };
        assert_eq!(extend(&rig, &CallId::new(), &lost, 10).await, Extension::Obstructed(obstacle), "{}", rig.name);
    }
}
