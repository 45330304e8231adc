//! Many at once.

use std::sync::Arc;

use purser::{
    cache::Cache,
    ids::CallId,
    limit::{Ask, Decision, Limiter, Opening, Policy, RunningCall},
};
use purser_tests::services;
use tokio::task::JoinSet;

use crate::rig::{PATIENT, Rig, START_MS, SqliteFile, budget, budget_from_now, in_flight, open, standings, window};

/// How many of 64 simultaneous asks are admitted, each on the limiter of its turn.
async fn admitted(limiters: &[Limiter], policies: &[Policy], hold_nanousd: i64) -> usize {
    let policies: Arc<[Policy]> = policies.into();
    let mut asks = JoinSet::new();
    for i in 0..64 {
        let (limiter, policies) = (limiters[i % limiters.len()].clone(), policies.clone());
        asks.spawn(async move {
            let call_id = CallId::new();
            let ask = Ask {
                call_id: &call_id,
                identity: None,
                policies: &policies,
                hold_nanousd,
                slot_ttl_ms: 60_000,
                hold_ttl_ms: 60_000,
            };
            limiter.reserve(&ask).await.unwrap().is_admitted()
        });
    }
    asks.join_all().await.into_iter().filter(|admitted| *admitted).count()
}

async fn ten_of_64_pass(name: &str, limiters: &[Limiter]) {
    let windows = [window("requests", 10, 3_600_000), window("roomy", 100, 3_600_000)];
    assert_eq!(admitted(limiters, &windows, 0).await, 10, "{name}: window");
    assert_eq!(admitted(limiters, &[in_flight("running", 10)], 0).await, 10, "{name}: in flight");
    let money = [budget_from_now("day", 1_000), budget_from_now("month", 1_059)];
    open(&limiters[0], &money).await;
    assert_eq!(admitted(limiters, &money, 100).await, 10, "{name}: budget");
    let left = standings(limiters[0].peek(&windows).await.unwrap());
    assert_eq!((left[0].remaining, left[1].remaining), (0, 90), "{name}: refused asks took nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_calls_at_once_exactly_ten_find_a_place() {
    for rig in Rig::all().await {
        ten_of_64_pass(rig.name, &[rig.by_store_clock()]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_connections_to_one_sqlite_file_share_its_limits() {
    let file = SqliteFile::new();
    let limiters: Vec<_> = (0..4).map(|_| Limiter::sqlite(file.open())).collect();
    ten_of_64_pass("sqlite, four connections", &limiters).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_connections_to_one_redis_share_its_limits() {
    let prefix = format!("{}:", services::unique("limit"));
    let cache = || Cache::tcp(&services::redis_url(), &prefix).unwrap().with_deadline(PATIENT);
    let limiters: Vec<_> = (0..4).map(|_| Limiter::redis(cache())).collect();
    ten_of_64_pass("redis, four connections", &limiters).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_call_that_asks_and_settles_many_times_at_once_counts_once() {
    for rig in Rig::all().await {
        let (limiter, call_id) = (rig.by_store_clock(), CallId::new());
        let policies: Arc<[Policy]> = Arc::new([budget_from_now("day", 1_000), window("requests", 10, 3_600_000)]);
        open(&limiter, &policies).await;
        let mut tasks = JoinSet::new();
        for _ in 0..16 {
            let (limiter, call_id, policies) = (limiter.clone(), call_id.clone(), policies.clone());
            tasks.spawn(async move {
                let ask = Ask {
                    call_id: &call_id,
                    identity: None,
                    policies: &policies,
                    hold_nanousd: 100,
                    slot_ttl_ms: 60_000,
                    hold_ttl_ms: 60_000,
                };
                assert!(limiter.reserve(&ask).await.unwrap().is_admitted());
                limiter.settle(&call_id, &policies, 70).await.unwrap();
            });
        }
        tasks.join_all().await;
        let left = standings(limiter.peek(&policies).await.unwrap());
        assert_eq!((left[0].remaining, left[1].remaining), (930, 9), "{}", rig.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn beside_ten_thousand_holds_exactly_ten_more_fit_and_the_wait_is_exact() {
    for rig in Rig::all().await {
        let running = (0..10_000).map(|number| RunningCall {
            call_id: CallId(format!("running-{number}")),
            hold_nanousd: 100,
            ends_at_ms: START_MS + 61_000 + 10 * number,
        });
        let policy = budget("day", 1_001_050);
        let opening =
            Opening { policy: policy.clone(), settled_nanousd: 0, settling: Vec::new(), running: running.collect() };
        rig.limiter.open(&opening).await.unwrap();
        let limiters = [rig.limiter.clone()];
        assert_eq!(admitted(&limiters, &[policy], 100).await, 10, "{}", rig.name);
        // The ten expire after 60 s, then one of the others every 10 ms.
        for (limit, wait_ms) in [(1_001_000, 60_000), (1_000_000, 61_000), (500_000, 111_000), (600, 160_940)] {
            let (_, decision) = rig.ask(&[budget("day", limit)], 100).await;
            let Decision::Refused { retry_after_ms, .. } = decision else { panic!("{}: {decision:?}", rig.name) };
            assert_eq!(retry_after_ms, Some(wait_ms), "{}: {limit}", rig.name);
        }
        // All at once are gone at their time, and the sum is exact.
        rig.at(200_000);
        assert_eq!(rig.left(&budget("day", 1_000)).await.0, 1_000, "{}", rig.name);
    }
}
