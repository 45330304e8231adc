//! Several policies in one ask.

use purser::limit::{Ask, Decision, LimitError, Policy};

use crate::rig::{Rig, budget, in_flight, window};

fn all_kinds() -> [Policy; 7] {
    [
        window("hour", 3, 3_600_000),
        window("burst", 2, 1_000),
        in_flight("running", 2),
        window("address", 50, 900_000),
        budget("day", 1_000),
        budget("month", 10_000),
        budget("everybody", 100_000),
    ]
}

#[tokio::test]
async fn all_policies_are_taken_or_none() {
    for rig in Rig::all().await {
        let policies = all_kinds();
        // Too dear for the day, so that the other six have to stay as they are.
        let Decision::Refused { violated, standings, .. } = rig.ask(&policies, 1_001).await.1 else {
            panic!("{}: admitted", rig.name);
        };
        assert_eq!(violated, ["day"], "{}", rig.name);
        assert!(standings.iter().all(|standing| standing.remaining == standing.limit), "{}: {standings:?}", rig.name);
        assert_eq!(rig.peek(&policies).await, standings, "{}", rig.name);

        let (call_id, decision) = rig.ask(&policies, 400).await;
        let left: Vec<_> = decision.standings().iter().map(|standing| standing.remaining).collect();
        assert_eq!(left, [2, 1, 1, 49, 600, 9_600, 99_600], "{}", rig.name);
        assert_eq!(rig.peek(&policies).await, decision.standings(), "{}: peek says the same", rig.name);

        rig.settle(&call_id, &policies, 100).await;
        let left: Vec<_> = rig.peek(&policies).await.iter().map(|standing| standing.remaining).collect();
        assert_eq!(left, [2, 1, 2, 49, 900, 9_900, 99_900], "{}", rig.name);
    }
}

#[tokio::test]
async fn the_wait_is_that_of_the_slowest_violated_policy() {
    for rig in Rig::all().await {
        let policies = [window("fast", 1, 1_000), window("slow", 1, 5_000), window("roomy", 9, 60_000)];
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        rig.at(400);
        let Decision::Refused { violated, retry_after_ms, .. } = rig.ask(&policies, 0).await.1 else {
            panic!("{}: admitted", rig.name);
        };
        assert_eq!((violated, retry_after_ms), (vec!["fast".into(), "slow".into()], Some(4_600)), "{}", rig.name);
        rig.at(4_999);
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
        rig.at(5_000);
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn one_policy_that_never_fits_makes_the_wait_never() {
    for rig in Rig::all().await {
        let policies = [window("full", 1, 1_000), in_flight("none", 0)];
        assert!(rig.admits(&policies[..1], 0).await, "{}", rig.name);
        let decision = rig.ask(&policies, 0).await.1;
        assert!(matches!(decision, Decision::Refused { retry_after_ms: None, .. }), "{}: {decision:?}", rig.name);
    }
}

#[tokio::test]
async fn a_peek_writes_nothing() {
    for rig in Rig::all().await {
        let policies = all_kinds();
        rig.ask(&policies, 100).await;
        let (call_id, _) = rig.ask(&policies, 100).await;
        rig.settle(&call_id, &policies, 50).await;
        let before = rig.dump().await;
        assert!(!before.is_empty(), "{}", rig.name);
        // Also while entries lie around that have expired.
        for ms in [0, 500, 1_000, 60_000, 599_999] {
            rig.at(ms);
            rig.peek(&policies).await;
            assert_eq!(rig.dump().await, before, "{} at {ms}", rig.name);
        }
    }
}

#[tokio::test]
async fn an_ask_without_policies_is_admitted() {
    for rig in Rig::all().await {
        assert!(rig.admits(&[], 5).await, "{}", rig.name);
        assert_eq!(rig.peek(&[]).await, [], "{}", rig.name);
    }
}

#[tokio::test]
async fn nonsense_is_refused_before_anything_is_taken() {
    for rig in Rig::all().await {
        let policies = [window("twice", 1, 1_000), window("twice", 2, 1_000)];
        let call_id = purser::ids::CallId::new();
        let ask = Ask {
            call_id: &call_id,
            identity: None,
            policies: &policies,
            hold_nanousd: 0,
            slot_ttl_ms: 1,
            hold_ttl_ms: 1,
        };
        assert!(matches!(rig.limiter.reserve(&ask).await, Err(LimitError::Invalid(_))), "{}", rig.name);
        let settled = rig.limiter.settle(&call_id, &[budget("day", 1)], -1).await;
        assert!(matches!(settled, Err(LimitError::Invalid(_))), "{}", rig.name);
        assert_eq!(rig.left(&policies[0]).await, (1, None), "{}", rig.name);
    }
}
