//! Calls in flight.

use crate::rig::{HOLD_MS, Rig, in_flight};

#[tokio::test]
async fn only_so_many_calls_run_at_once() {
    for rig in Rig::all().await {
        let policies = [in_flight("running", 2)];
        let (first, _) = rig.ask(&policies, 0).await;
        rig.at(100);
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        let refused = rig.ask(&policies, 0).await.1;
        assert!(!refused.is_admitted(), "{}", rig.name);
        // If nobody settles: when the first slot expires.
        assert_eq!(refused.standings()[0].reset_ms, Some(59_900), "{}", rig.name);
        rig.settle(&first, &policies, 0).await;
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_released_call_frees_its_slot() {
    for rig in Rig::all().await {
        let policies = [in_flight("running", 1)];
        let (call_id, _) = rig.ask(&policies, 0).await;
        rig.release(&call_id, &policies).await;
        assert_eq!(rig.left(&policies[0]).await, (1, None), "{}", rig.name);
    }
}

#[tokio::test]
async fn a_slot_that_nobody_frees_expires() {
    for rig in Rig::all().await {
        let policies = [in_flight("running", 1)];
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        rig.at(HOLD_MS - 1);
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
        rig.at(HOLD_MS);
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_late_settle_frees_nobody_elses_slot() {
    for rig in Rig::all().await {
        let policies = [in_flight("running", 1)];
        let (first, _) = rig.ask(&policies, 0).await;
        rig.at(HOLD_MS);
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        rig.settle(&first, &policies, 0).await;
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn no_slots_means_no_calls() {
    for rig in Rig::all().await {
        assert!(!rig.admits(&[in_flight("running", 0)], 0).await, "{}", rig.name);
    }
}
