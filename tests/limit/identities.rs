//! What has been decided about a caller since their token was made.

use purser::{
    ids::CallId,
    limit::{Ask, Decision, Identity, LimitError, Reading},
};

use crate::rig::{Rig, START_MS, budget, redis_connection, redis_keys, window};

const TTL_MS: u64 = 900_000;

fn ann(plan: &str) -> Identity<'_> {
    Identity { subject: "user:ann", session: Some("s1"), plan, issued_ms: START_MS }
}

fn is_well(reading: Reading) -> bool {
    matches!(reading, Reading::Standings(_))
}

async fn ask(rig: &Rig, call_id: &CallId, identity: Identity<'_>) -> Decision {
    let policies = [window("requests", 3, 60_000), budget("day", 100)];
    let ask = Ask {
        call_id,
        identity: Some(identity),
        policies: &policies,
        hold_nanousd: 10,
        slot_ttl_ms: 1_000,
        hold_ttl_ms: 1_000,
    };
    rig.limiter.reserve(&ask).await.unwrap()
}

#[tokio::test]
async fn nobody_has_said_anything_so_the_token_counts() {
    for rig in Rig::all().await {
        let anonymous = Ask {
            call_id: &CallId::new(),
            identity: None,
            policies: &[window("requests", 3, 60_000)],
            hold_nanousd: 0,
            slot_ttl_ms: 1,
            hold_ttl_ms: 1,
        };
        assert!(rig.limiter.reserve(&anonymous).await.unwrap().is_admitted(), "{}", rig.name);
        let decision = ask(&rig, &CallId::new(), ann("free")).await;
        let left: Vec<_> = decision.standings().iter().map(|standing| standing.remaining).collect();
        assert_eq!((decision.is_admitted(), left), (true, vec![1, 90]), "{}", rig.name);
        let keyless = Identity { session: None, ..ann("free") };
        assert!(ask(&rig, &CallId::new(), keyless).await.is_admitted(), "{}", rig.name);
    }
}

#[tokio::test]
async fn another_plan_holds_from_the_next_ask_on_and_takes_nothing_before() {
    for rig in Rig::all().await {
        let policies = [window("requests", 3, 60_000), budget("day", 100)];
        rig.limiter.set_plan("user:ann", "pro").await.unwrap();
        let changed = Decision::PlanChanged { plan: "pro".to_owned() };
        let seen = Reading::PlanChanged { plan: "pro".to_owned() };
        for _ in 0..9 {
            assert_eq!(ask(&rig, &CallId::new(), ann("free")).await, changed, "{}", rig.name);
        }
        assert_eq!(rig.limiter.look(Some(ann("free")), &policies).await.unwrap(), seen, "{}", rig.name);
        assert_eq!(rig.left(&policies[0]).await, (3, None), "{}", rig.name);
        assert_eq!(rig.left(&policies[1]).await, (100, None), "{}", rig.name);
        assert!(ask(&rig, &CallId::new(), ann("pro")).await.is_admitted(), "{}", rig.name);
        let other = Identity { subject: "user:bob", ..ann("free") };
        assert!(ask(&rig, &CallId::new(), other).await.is_admitted(), "{}", rig.name);
        rig.limiter.set_plan("user:ann", "free").await.unwrap();
        assert!(ask(&rig, &CallId::new(), ann("free")).await.is_admitted(), "{}", rig.name);
    }
}

#[tokio::test]
async fn a_revoked_session_is_out_and_its_neighbour_is_not() {
    for rig in Rig::all().await {
        rig.limiter.set_plan("user:ann", "pro").await.unwrap();
        rig.limiter.revoke_session("s1", TTL_MS).await.unwrap();
        for plan in ["free", "pro"] {
            assert_eq!(ask(&rig, &CallId::new(), ann(plan)).await, Decision::Revoked, "{}", rig.name);
            assert_eq!(rig.limiter.look(Some(ann(plan)), &[]).await.unwrap(), Reading::Revoked, "{}", rig.name);
        }
        assert_eq!(rig.left(&window("requests", 3, 60_000)).await, (3, None), "{}", rig.name);
        let neighbour = Identity { session: Some("s2"), ..ann("pro") };
        assert!(ask(&rig, &CallId::new(), neighbour).await.is_admitted(), "{}", rig.name);
    }
}

#[tokio::test]
async fn all_that_was_issued_before_a_moment_is_out_and_the_moment_only_moves_on() {
    for rig in Rig::all().await {
        rig.limiter.revoke_before("user:ann", START_MS + 500, TTL_MS).await.unwrap();
        rig.limiter.revoke_before("user:ann", START_MS + 400, TTL_MS).await.unwrap();
        for (issued, is_out) in [(0, true), (499, true), (500, false), (501, false)] {
            let identity = Identity { issued_ms: START_MS + issued, ..ann("free") };
            let reading = rig.limiter.look(Some(identity), &[]).await.unwrap();
            assert_eq!(reading == Reading::Revoked, is_out, "{} at {issued}", rig.name);
        }
        rig.limiter.revoke_before("user:ann", START_MS + 600, TTL_MS).await.unwrap();
        let identity = Identity { issued_ms: START_MS + 501, session: None, ..ann("free") };
        assert_eq!(ask(&rig, &CallId::new(), identity).await, Decision::Revoked, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_call_that_was_admitted_stays_so() {
    for rig in Rig::all().await {
        let call_id = CallId::new();
        assert!(ask(&rig, &call_id, ann("free")).await.is_admitted(), "{}", rig.name);
        rig.limiter.revoke_session("s1", TTL_MS).await.unwrap();
        assert!(ask(&rig, &call_id, ann("free")).await.is_admitted(), "{}", rig.name);
        assert_eq!(rig.left(&budget("day", 100)).await.0, 90, "{}: taken once", rig.name);
    }
}

#[tokio::test]
async fn notes_live_as_long_as_was_asked_and_no_longer() {
    for rig in Rig::all().await {
        let limiter = &rig.limiter;
        assert!(matches!(limiter.revoke_session("s1", 0).await, Err(LimitError::Invalid(_))), "{}", rig.name);
        limiter.revoke_session("s1", TTL_MS).await.unwrap();
        limiter.revoke_before("user:bob", START_MS, 1_000).await.unwrap();
        limiter.revoke_before("user:bob", START_MS - 1, TTL_MS).await.unwrap();
        limiter.set_plan("user:ann", "pro").await.unwrap();
        if ["redis", "upstash"].contains(&rig.name) {
            // Redis expires by its own clock, which no test can move.
            let mut connection = redis_connection().await;
            let keys = redis_keys(&rig.redis_key("limit:identity:")).await;
            assert_eq!(keys.len(), 3, "{keys:?}");
            for key in keys {
                let ttl_ms: u64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
                let most = if key.contains(":plan:") { 86_400_000 } else { TTL_MS };
                assert!((most - 60_000..=most).contains(&ttl_ms), "{key}: {ttl_ms}");
            }
            continue;
        }
        let bob = Identity { subject: "user:bob", session: None, plan: "free", issued_ms: START_MS - 1 };
        rig.at(899_999);
        assert_eq!(limiter.look(Some(ann("pro")), &[]).await.unwrap(), Reading::Revoked, "{}", rig.name);
        assert_eq!(limiter.look(Some(bob), &[]).await.unwrap(), Reading::Revoked, "{}", rig.name);
        rig.at(900_000);
        assert!(is_well(limiter.look(Some(ann("pro")), &[]).await.unwrap()), "{}", rig.name);
        assert!(is_well(limiter.look(Some(bob), &[]).await.unwrap()), "{}", rig.name);
        assert!(!is_well(limiter.look(Some(ann("free")), &[]).await.unwrap()), "{}", rig.name);
        rig.at(86_400_000);
        assert!(is_well(limiter.look(Some(ann("free")), &[]).await.unwrap()), "{}", rig.name);
    }
}
