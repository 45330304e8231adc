//! Money: holds and what becomes of them.

use purser::{
    ids::CallId,
    limit::{Decision, MAX_EXACT},
};

use crate::rig::{HOLD_MS, Rig, budget};

#[tokio::test]
async fn a_budget_for_ten_calls_admits_ten() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        for i in 1..=10 {
            let decision = rig.ask(&policies, 100).await.1;
            assert!(decision.is_admitted(), "{}", rig.name);
            assert_eq!(decision.standings()[0].remaining, 1_000 - i * 100, "{}", rig.name);
        }
        let decision = rig.ask(&policies, 100).await.1;
        assert!(
            matches!(&decision, Decision::Refused { violated, .. } if violated == &["day"]),
            "{}: {decision:?}",
            rig.name
        );
        assert!(!rig.admits(&policies, 1).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn what_a_call_did_not_cost_is_free_again() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (call_id, _) = rig.ask(&policies, 1_000).await;
        assert!(!rig.admits(&policies, 1).await, "{}", rig.name);
        rig.settle(&call_id, &policies, 300).await;
        assert_eq!(rig.left(&policies[0]).await, (700, Some(600_000)), "{}", rig.name);
        assert!(!rig.admits(&policies, 701).await, "{}", rig.name);
        assert!(rig.admits(&policies, 700).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_second_settle_changes_nothing() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (call_id, _) = rig.ask(&policies, 500).await;
        rig.settle(&call_id, &policies, 300).await;
        let before = rig.dump().await;
        rig.settle(&call_id, &policies, 300).await;
        rig.settle(&call_id, &policies, 999).await;
        rig.release(&call_id, &policies).await;
        assert_eq!(rig.dump().await, before, "{}", rig.name);
        assert_eq!(rig.left(&policies[0]).await.0, 700, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_settled_call_does_not_ask_again() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (call_id, _) = rig.ask(&policies, 500).await;
        rig.settle(&call_id, &policies, 300).await;
        assert!(rig.ask_as(&call_id, &policies, 500).await.is_admitted(), "{}", rig.name);
        assert_eq!(rig.left(&policies[0]).await.0, 700, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_hold_that_nobody_settles_expires() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        assert!(rig.admits(&policies, 600).await, "{}", rig.name);
        rig.at(10);
        assert!(rig.admits(&policies, 400).await, "{}", rig.name);
        let Decision::Refused { retry_after_ms, .. } = rig.ask(&policies, 700).await.1 else {
            panic!("{}: admitted", rig.name);
        };
        assert_eq!(retry_after_ms, Some(60_000), "{}: both holds are in the way", rig.name);
        rig.at(HOLD_MS - 1);
        assert!(!rig.admits(&policies, 1).await, "{}", rig.name);
        rig.at(HOLD_MS);
        assert_eq!(rig.left(&policies[0]).await.0, 600, "{}", rig.name);
        assert!(!rig.admits(&policies, 700).await, "{}", rig.name);
        assert!(rig.admits(&policies, 600).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_settle_after_the_hold_expired_still_counts() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (swept, _) = rig.ask(&policies, 500).await;
        let (unswept, _) = rig.ask(&policies, 500).await;
        rig.at(HOLD_MS);
        rig.settle(&unswept, &policies, 400).await;
        assert!(rig.admits(&policies, 600).await, "{}: sweeps", rig.name);
        // Truth wins, above the limit as well.
        rig.settle(&swept, &policies, 450).await;
        assert_eq!(rig.left(&policies[0]).await.0, 0, "{}", rig.name);
        rig.at(2 * HOLD_MS);
        assert_eq!(rig.left(&policies[0]).await, (150, Some(480_000)), "{}", rig.name);
    }
}

#[tokio::test]
async fn a_call_that_cost_more_than_it_held_counts_in_full() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (call_id, _) = rig.ask(&policies, 100).await;
        rig.settle(&call_id, &policies, 1_200).await;
        assert_eq!(rig.left(&policies[0]).await, (0, Some(600_000)), "{}", rig.name);
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
        // A call that never reserved here, because its hold was taken elsewhere, counts as well.
        rig.settle(&CallId::new(), &policies, 50).await;
        let raised = [budget("day", 2_000)];
        assert_eq!(rig.left(&raised[0]).await.0, 750, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_released_hold_is_free_again() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (call_id, _) = rig.ask(&policies, 1_000).await;
        rig.release(&call_id, &policies).await;
        rig.release(&call_id, &policies).await;
        assert_eq!(rig.left(&policies[0]).await, (1_000, None), "{}", rig.name);
        assert!(rig.admits(&policies, 1_000).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_budget_with_nothing_left_waits_for_its_reset() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_000)];
        let (call_id, _) = rig.ask(&policies, 1_000).await;
        rig.settle(&call_id, &policies, 1_000).await;
        rig.at(100_000);
        for hold in [0, 1, 1_000] {
            let Decision::Refused { retry_after_ms, .. } = rig.ask(&policies, hold).await.1 else {
                panic!("{}: admitted", rig.name);
            };
            assert_eq!(retry_after_ms, Some(500_000), "{}", rig.name);
        }
        // What exceeds the whole budget never fits.
        let Decision::Refused { retry_after_ms, .. } = rig.ask(&policies, 1_001).await.1 else {
            panic!("{}: admitted", rig.name);
        };
        assert_eq!(retry_after_ms, None, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_budget_of_zero_admits_nothing_ever() {
    for rig in Rig::all().await {
        for hold in [0, 1] {
            let decision = rig.ask(&[budget("day", 0)], hold).await.1;
            assert!(matches!(decision, Decision::Refused { retry_after_ms: None, .. }), "{}", rig.name);
        }
    }
}

#[tokio::test]
async fn large_amounts_stay_exact() {
    for limit in [(1_i64 << 31) + 1, 999_999_999_999_999, 1_000_000_000_000_001, MAX_EXACT] {
        for rig in Rig::all().await {
            let policies = [budget("day", limit)];
            let (call_id, decision) = rig.ask(&policies, limit - 1).await;
            assert!(decision.is_admitted(), "{} {limit}", rig.name);
            assert_eq!(decision.standings()[0].remaining, 1, "{} {limit}", rig.name);
            assert!(!rig.admits(&policies, 2).await, "{} {limit}", rig.name);
            rig.settle(&call_id, &policies, limit - 3).await;
            assert_eq!(rig.left(&policies[0]).await.0, 3, "{} {limit}", rig.name);
            assert!(!rig.admits(&policies, 4).await, "{} {limit}", rig.name);
            let (call_id, decision) = rig.ask(&policies, 3).await;
            assert!(decision.is_admitted(), "{} {limit}", rig.name);
            rig.release(&call_id, &policies).await;
            assert_eq!(rig.left(&policies[0]).await.0, 3, "{} {limit}", rig.name);
        }
    }
}

#[tokio::test]
async fn many_holds_expire_in_one_sweep() {
    for rig in Rig::all().await {
        let policies = [budget("day", 1_100)];
        for _ in 0..1_100 {
            assert!(rig.admits(&policies, 1).await, "{}", rig.name);
        }
        assert!(!rig.admits(&policies, 1).await, "{}", rig.name);
        rig.at(1);
        let Decision::Refused { retry_after_ms, .. } = rig.ask(&policies, 1_050).await.1 else {
            panic!("{}: admitted", rig.name);
        };
        assert_eq!(retry_after_ms, Some(59_999), "{}", rig.name);
        rig.at(HOLD_MS);
        assert!(rig.admits(&policies, 1_100).await, "{}", rig.name);
    }
}
