//! Calls that were admitted elsewhere while the limiter was away, and are told to it afterwards.

use purser::{ids::CallId, limit::Policy};

use crate::rig::{Rig, START_MS, budget, in_flight, open, window};

async fn settle_late(rig: &Rig, call_id: &CallId, policies: &[Policy], cost_nanousd: i64, made_at: i64) -> i64 {
    let settled = rig.limiter.settle_late(call_id, policies, cost_nanousd, START_MS + made_at).await;
    settled.unwrap_or_else(|error| panic!("{}: {error}", rig.name)).at_ms - START_MS
}

#[tokio::test]
async fn a_call_takes_its_place_in_the_window_at_the_time_at_which_it_was_made() {
    for rig in Rig::all().await {
        let policies = [window("requests", 2, 1_000), in_flight("running", 2), budget("day", 100)];
        open(&rig.limiter, &policies).await;
        rig.at(700);
        for _ in 0..3 {
            // However often it is told.
            assert_eq!(settle_late(&rig, &CallId("late".to_owned()), &policies, 30, 100).await, 700, "{}", rig.name);
        }
        let [calls, running, money] = [0, 1, 2].map(|at: usize| policies[at].clone());
        assert_eq!(rig.left(&calls).await, (1, Some(400)), "{}: it is gone a window after it was made", rig.name);
        assert_eq!(rig.left(&running).await.0, 2, "{}: it does not run any more", rig.name);
        assert_eq!(rig.left(&money).await.0, 70, "{}", rig.name);
        assert!(rig.admits(&policies, 70).await, "{}", rig.name);
        assert!(!rig.admits(std::slice::from_ref(&calls), 0).await, "{}", rig.name);
        rig.at(1_099);
        assert!(!rig.admits(std::slice::from_ref(&calls), 0).await, "{}", rig.name);
        rig.at(1_100);
        assert!(rig.admits(std::slice::from_ref(&calls), 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_call_that_was_admitted_here_after_all_is_counted_once() {
    for rig in Rig::all().await {
        let policies = [window("requests", 3, 1_000), in_flight("running", 3), budget("day", 100)];
        open(&rig.limiter, &policies).await;
        // The answer to this was never heard, so the call was taken elsewhere as well.
        let (call_id, _) = rig.ask(&policies, 50).await;
        rig.at(10);
        settle_late(&rig, &call_id, &policies, 20, 0).await;
        assert_eq!(rig.left(&policies[0]).await, (2, Some(990)), "{}", rig.name);
        assert_eq!(rig.left(&policies[1]).await.0, 3, "{}", rig.name);
        assert_eq!(rig.left(&policies[2]).await.0, 80, "{}", rig.name);
        // And the other way round: what was asked runs only after the call is over.
        let late = CallId::new();
        settle_late(&rig, &late, &policies, 20, 0).await;
        rig.ask_as(&late, &policies, 50).await;
        assert_eq!(rig.left(&policies[0]).await.0, 1, "{}", rig.name);
        assert_eq!(rig.left(&policies[1]).await.0, 3, "{}", rig.name);
        assert_eq!(rig.left(&policies[2]).await.0, 60, "{}", rig.name);
    }
}

#[tokio::test]
async fn what_was_made_too_long_ago_is_in_no_window_and_a_clock_ahead_adds_nothing() {
    for rig in Rig::all().await {
        let policies = [window("requests", 2, 1_000)];
        rig.at(5_000);
        settle_late(&rig, &CallId::new(), &policies, 1, 4_000).await;
        assert_eq!(rig.left(&policies[0]).await, (2, None), "{}", rig.name);
        settle_late(&rig, &CallId::new(), &policies, 1, 3_600_000).await;
        assert_eq!(rig.left(&policies[0]).await, (1, Some(1_000)), "{}", rig.name);
    }
}
