//! Usage hashes, on every backend that keeps them.

use std::collections::BTreeMap;

use purser::{
    cache::Cache,
    cost::hashes::{UsageEntry, UsageHashes, UsageTotals},
    ids::{CallId, CallerId},
    usage::Usage,
};
use purser_tests::{services, upstash::UpstashDouble};
use tokio::task::JoinSet;

use crate::rig::{PATIENT, SqliteFile, redis_connection, redis_keys};

/// 2026-11-24T23:59:59.999Z.
const LATE_MS: i64 = 1_795_564_799_999;

struct Backends {
    all: Vec<(&'static str, UsageHashes)>,
    prefix: String,
    double: UpstashDouble,
    _file: SqliteFile,
}

async fn backends() -> Backends {
    let prefix = format!("{}:", services::unique("hashes"));
    let double = UpstashDouble::start(&services::redis_url()).await.unwrap();
    let file = SqliteFile::new();
    let tcp = Cache::tcp(&services::redis_url(), &prefix).unwrap().with_deadline(PATIENT);
    let upstash = Cache::upstash(double.url(), double.token(), &format!("{prefix}rest:")).unwrap();
    let all = vec![
        ("redis", UsageHashes::Redis(tcp)),
        ("upstash", UsageHashes::Redis(upstash.with_deadline(PATIENT))),
        ("sqlite", UsageHashes::sqlite(file.open())),
    ];
    Backends { all, prefix, double, _file: file }
}

fn usage() -> Usage {
    Usage {
        input_tokens: 1,
        cache_write_5m_tokens: 20,
        cache_write_1h_tokens: 300,
        cache_read_tokens: 4_000,
        output_tokens: 50_000,
        web_search_requests: 6,
        ..Usage::default()
    }
}

fn caller(id: &str) -> CallerId {
    CallerId(id.to_owned())
}

async fn record(hashes: &UsageHashes, call_id: &CallId, user: &CallerId, cost_nanousd: i64, total_ms: u64) {
    let usage = usage();
    let entry = UsageEntry {
        call_id,
        caller: user,
        at_ms: LATE_MS,
        failed: total_ms > 1_000,
        usage: &usage,
        cost_nanousd,
        total_ms,
    };
    hashes.record(&entry).await.unwrap();
}

#[tokio::test]
async fn calls_add_up_per_day_and_per_caller() {
    for (name, hashes) in backends().await.all {
        let (ann, bob) = (caller("user:ann"), caller("anon:bob"));
        record(&hashes, &CallId::new(), &ann, 1_234_567, 900).await;
        record(&hashes, &CallId::new(), &ann, 2_000_000_000, 1_500).await;
        record(&hashes, &CallId::new(), &bob, 5, 100).await;
        let expected = UsageTotals {
            requests: 2,
            errors: 1,
            input_tokens: 2,
            cache_write_5m_tokens: 40,
            cache_write_1h_tokens: 600,
            cache_read_tokens: 8_000,
            output_tokens: 100_000,
            web_search_requests: 12,
            cost_nanousd: 2_001_234_567,
            cost_usd: "2.001234567".to_owned(),
            total_ms: 2_400,
            slowest_ms: 1_500,
        };
        assert_eq!(hashes.read_user(&ann).await.unwrap(), Some(expected), "{name}");
        let bobs = hashes.read_user(&bob).await.unwrap().unwrap();
        assert_eq!((bobs.requests, bobs.errors, bobs.cost_usd.as_str()), (1, 0, "0.000000005"), "{name}");
        let day = hashes.read_daily("2026-11-24").await.unwrap().unwrap();
        assert_eq!((day.requests, day.cost_nanousd, day.slowest_ms), (3, 2_001_234_572, 1_500), "{name}");
        assert_eq!(hashes.read_daily("2026-11-25").await.unwrap(), None, "{name}");
        assert_eq!(hashes.read_user(&caller("user:nobody")).await.unwrap(), None, "{name}");
    }
}

#[tokio::test]
async fn a_call_is_recorded_once() {
    for (name, hashes) in backends().await.all {
        let (ann, call_id) = (caller("user:ann"), CallId::new());
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (hashes, ann, call_id) = (hashes.clone(), ann.clone(), call_id.clone());
            tasks.spawn(async move { record(&hashes, &call_id, &ann, 7, 10).await });
        }
        tasks.join_all().await;
        for totals in [hashes.read_user(&ann).await, hashes.read_daily("2026-11-24").await] {
            let totals = totals.unwrap().unwrap();
            assert_eq!((totals.requests, totals.cost_nanousd), (1, 7), "{name}");
        }
    }
}

#[tokio::test]
async fn large_costs_stay_exact() {
    for (name, hashes) in backends().await.all {
        let ann = caller("user:ann");
        record(&hashes, &CallId::new(), &ann, 999_999_999_999_999, 1).await;
        record(&hashes, &CallId::new(), &ann, 2, 1).await;
        let totals = hashes.read_user(&ann).await.unwrap().unwrap();
        assert_eq!(totals.cost_nanousd, 1_000_000_000_000_001, "{name}");
        assert_eq!(totals.cost_usd, "1000000.000000001", "{name}");
    }
}

#[tokio::test]
async fn a_person_reads_the_hashes_and_they_expire() {
    let backends = backends().await;
    let (_, hashes) = &backends.all[0];
    record(hashes, &CallId::new(), &caller("user:42"), 1_500_000_000, 10).await;
    let mut connection = redis_connection().await;
    for name in ["usage:daily:2026-11-24", "usage:user:42"] {
        let key = format!("{}{name}", backends.prefix);
        let hash: BTreeMap<String, String> =
            redis::cmd("HGETALL").arg(&key).query_async(&mut connection).await.unwrap();
        assert_eq!(hash.len(), 12, "{hash:?}");
        assert_eq!((hash["requests"].as_str(), hash["cost_usd"].as_str()), ("1", "1.500000000"), "{key}");
    }
    let keys = redis_keys(&backends.prefix).await;
    assert_eq!(keys.len(), 3, "{keys:?}");
    for key in keys {
        let ttl_ms: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        assert!(ttl_ms > 0, "{key} stays for ever");
    }
}

#[tokio::test]
async fn recording_is_one_round_trip() {
    let backends = backends().await;
    let (_, hashes) = &backends.all[1];
    // The first may have to bring the script along.
    record(hashes, &CallId::new(), &caller("user:ann"), 1, 1).await;
    let before = backends.double.requests();
    record(hashes, &CallId::new(), &caller("user:ann"), 1, 1).await;
    assert_eq!(backends.double.requests() - before, 1);
}
