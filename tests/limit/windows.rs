//! Request windows.

use purser::{ids::CallId, limit::Decision};

use crate::rig::{Rig, in_flight, standings, window};

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_window_admits_exactly_its_limit() {
    for rig in Rig::all().await {
        let policies = [window("requests", 10, 3_600_000)];
        for i in 0..10 {
            rig.at(i);
            let decision = rig.ask(&policies, 0).await.1;
            assert!(decision.is_admitted(), "{}: {decision:?}", rig.name);
            assert_eq!(decision.standings()[0].remaining, 9 - u64::try_from(i).unwrap(), "{}", rig.name);
            assert_eq!(decision.standings()[0].limit, 10, "{}", rig.name);
        }
        rig.at(1_000);
        let decision = rig.ask(&policies, 0).await.1;
        let Decision::Refused { violated, retry_after_ms, standings, .. } = decision else {
            panic!("{}: admitted an eleventh", rig.name);
        };
        assert_eq!(violated, ["requests"], "{}", rig.name);
        assert_eq!(retry_after_ms, Some(3_599_000), "{}", rig.name);
        assert_eq!((standings[0].remaining, standings[0].reset_ms), (0, Some(3_599_000)), "{}", rig.name);
    }
}

#[tokio::test]
async fn a_call_passes_when_it_was_told_and_not_a_millisecond_earlier() {
    for rig in Rig::all().await {
        let policies = [window("requests", 2, 3_600_000)];
        for ms in [0, 700] {
            rig.at(ms);
            assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        }
        for early in [HOUR_MS - 1_000, HOUR_MS - 1] {
            rig.at(early);
            assert!(!rig.admits(&policies, 0).await, "{} at {early}", rig.name);
        }
        rig.at(HOUR_MS);
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
        rig.at(HOUR_MS + 699);
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
        rig.at(HOUR_MS + 700);
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_refused_ask_consumes_nothing() {
    for rig in Rig::all().await {
        let policies = [window("requests", 1, 1_000)];
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        let before = rig.dump().await;
        for ms in 1..1_000 / 50 {
            rig.at(ms * 50);
            assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
        }
        assert_eq!(rig.dump().await, before, "{}", rig.name);
        rig.at(1_000);
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_window_of_zero_admits_nothing_ever() {
    for rig in Rig::all().await {
        let policies = [window("requests", 0, 1_000)];
        let decision = rig.ask(&policies, 0).await.1;
        let Decision::Refused { violated, retry_after_ms, standings, .. } = decision else {
            panic!("{}: admitted", rig.name);
        };
        assert_eq!((violated, retry_after_ms), (vec!["requests".to_owned()], None), "{}", rig.name);
        assert_eq!((standings[0].remaining, standings[0].reset_ms), (0, None), "{}", rig.name);
    }
}

#[tokio::test]
async fn a_call_that_asks_twice_is_admitted_once() {
    for rig in Rig::all().await {
        let policies = [window("requests", 2, 1_000), in_flight("running", 5)];
        let call_id = CallId::new();
        for _ in 0..3 {
            let decision = rig.ask_as(&call_id, &policies, 0).await;
            assert!(decision.is_admitted(), "{}", rig.name);
            assert_eq!(decision.standings()[0].remaining, 1, "{}", rig.name);
            assert_eq!(decision.standings()[1].remaining, 4, "{}", rig.name);
        }
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        // Also where there is no room for another call any more.
        assert!(rig.ask_as(&call_id, &policies, 0).await.is_admitted(), "{}", rig.name);
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_released_call_gives_its_place_back() {
    for rig in Rig::all().await {
        let policies = [window("requests", 1, 1_000)];
        let (call_id, decision) = rig.ask(&policies, 0).await;
        assert!(decision.is_admitted(), "{}", rig.name);
        rig.release(&call_id, &policies).await;
        rig.release(&call_id, &policies).await;
        assert_eq!(rig.left(&policies[0]).await, (1, None), "{}", rig.name);
        assert!(rig.admits(&policies, 0).await, "{}", rig.name);
        // The first call's late second release is not the second call's.
        rig.release(&call_id, &policies).await;
        assert!(!rig.admits(&policies, 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn a_settled_call_keeps_its_place() {
    for rig in Rig::all().await {
        let policies = [window("requests", 1, 1_000)];
        let (call_id, _) = rig.ask(&policies, 0).await;
        rig.settle(&call_id, &policies, 5).await;
        rig.release(&call_id, &policies).await;
        assert_eq!(rig.left(&policies[0]).await, (0, Some(1_000)), "{}", rig.name);
    }
}

#[tokio::test]
async fn a_changed_limit_holds_from_the_next_ask_on() {
    for rig in Rig::all().await {
        for ms in 0..3 {
            rig.at(ms * 100);
            assert!(rig.admits(&[window("requests", 3, 1_000)], 0).await, "{}", rig.name);
        }
        // Three are in the window; two of them have to go before one more fits into two.
        assert_eq!(rig.left(&window("requests", 2, 1_000)).await, (0, Some(900)), "{}", rig.name);
        rig.at(1_099);
        assert!(!rig.admits(&[window("requests", 2, 1_000)], 0).await, "{}", rig.name);
        rig.at(1_100);
        assert!(rig.admits(&[window("requests", 2, 1_000)], 0).await, "{}", rig.name);
        assert!(rig.admits(&[window("requests", 100, 1_000)], 0).await, "{}", rig.name);
    }
}

#[tokio::test]
async fn windows_slide_by_the_stores_clock() {
    for rig in Rig::all().await {
        let (limiter, policies) = (rig.by_store_clock(), [window("requests", 2, 3_600_000)]);
        for admitted in [true, true, false] {
            let call_id = CallId::new();
            let ask = purser::limit::Ask {
                call_id: &call_id,
                identity: None,
                policies: &policies,
                hold_nanousd: 0,
                slot_ttl_ms: 1,
                hold_ttl_ms: 1,
            };
            assert_eq!(limiter.reserve(&ask).await.unwrap().is_admitted(), admitted, "{}", rig.name);
        }
        let reset_ms = standings(limiter.peek(&policies).await.unwrap())[0].reset_ms.unwrap();
        assert!((3_540_000..=3_600_000).contains(&reset_ms), "{}: {reset_ms}", rig.name);
    }
}
