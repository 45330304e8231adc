//! Both kinds of Redis give the same answers, byte for byte, and nothing that they write stays for ever.

use purser::{
    cache::{Arg, Cache, CacheError, Reply, Script},
    limit::{Ask, Identity, Limiter},
};
use purser_tests::{private_redis::PrivateRedis, services, upstash::UpstashDouble};

use crate::rig::{
    PATIENT, Rig, budget, budget_from_now, budget_of, in_flight, open, redis_connection, redis_keys, window,
};

async fn both() -> (UpstashDouble, [Cache; 2]) {
    let prefix = format!("{}:", services::unique("wire"));
    let double = UpstashDouble::start(&services::redis_url()).await.unwrap();
    let tcp = Cache::tcp(&services::redis_url(), &prefix).unwrap().with_deadline(PATIENT);
    let upstash = Cache::upstash(double.url(), double.token(), &prefix).unwrap().with_deadline(PATIENT);
    (double, [tcp, upstash])
}

fn args(args: &[&str]) -> Vec<Arg> {
    args.iter().map(|arg| Arg::from(*arg)).collect()
}

fn text(text: &str) -> Reply {
    Reply::Text(text.as_bytes().to_vec())
}

#[tokio::test]
async fn strings_numbers_and_lists_come_back_as_they_went() {
    let (_double, caches) = both().await;
    for cache in caches {
        let key = format!("{}k", cache.prefix());
        let ask = async |list: &[&str]| cache.command(&args(list)).await;
        for value in ["", "OK", "grüße 🦀", "\0\r\n\"\\", "9007199254740993"] {
            assert_eq!(ask(&["SET", &key, value]).await, Ok(text("OK")), "{cache:?}");
            assert_eq!(ask(&["GET", &key]).await, Ok(text(value)), "{cache:?}");
        }
        assert_eq!(ask(&["INCR", &key]).await, Ok(Reply::Int(9_007_199_254_740_994)), "{cache:?}");
        assert_eq!(ask(&["GET", "never-set"]).await, Ok(Reply::Nil), "{cache:?}");
        let bytes =
            Script { text: "return { '\\255\\0', 1, { false } }", sha1: "ffffffffffffffffffffffffffffffffffffffff" };
        let expected = Reply::List(vec![Reply::Text(vec![255, 0]), Reply::Int(1), Reply::List(vec![Reply::Nil])]);
        assert_eq!(cache.eval(&bytes, &[], &[]).await, Ok(expected), "{cache:?}");
    }
}

#[tokio::test]
async fn a_failing_command_fails_alone_in_a_pipeline() {
    let (_double, caches) = both().await;
    for cache in caches {
        let key = format!("{}p", cache.prefix());
        let commands = [args(&["SET", &key, "text"]), args(&["INCR", &key]), args(&["GET", &key])];
        let replies = cache.pipeline(&commands).await.unwrap();
        assert_eq!(replies[0], Ok(text("OK")), "{cache:?}");
        assert!(
            matches!(&replies[1], Err(CacheError::Command(why)) if why.contains("not an integer")),
            "{cache:?}: {replies:?}"
        );
        assert_eq!(replies[2], Ok(text("text")), "{cache:?}");
        let single = cache.command(&args(&["INCR", &key])).await;
        assert_eq!(single, replies[1], "{cache:?}");
        assert_eq!(cache.pipeline(&[]).await, Ok(Vec::new()), "{cache:?}");
    }
}

#[tokio::test]
async fn a_transaction_over_rest_runs_as_a_whole_or_not_at_all() {
    let (_double, [_, upstash]) = both().await;
    let key = format!("{}m", upstash.prefix());
    let rest = upstash.as_upstash().unwrap();
    let done = rest.multi_exec(&[args(&["SET", &key, "1"]), args(&["INCR", &key])]).await;
    assert_eq!(done, Ok(vec![Ok(text("OK")), Ok(Reply::Int(2))]));
    let discarded = rest.multi_exec(&[args(&["SET", &key, "9"]), args(&["NO-SUCH-COMMAND"])]).await;
    assert!(matches!(discarded, Err(CacheError::Command(_))), "{discarded:?}");
    assert_eq!(upstash.command(&args(&["GET", &key])).await, Ok(text("2")));
}

#[tokio::test]
async fn every_key_of_the_limiter_expires_by_itself() {
    let prefix = format!("{}:", services::unique("limit"));
    let limiter = Limiter::redis(Cache::tcp(&services::redis_url(), &prefix).unwrap().with_deadline(PATIENT));
    let policies = [
        window("requests", 9, 1_000),
        in_flight("running", 9),
        budget_from_now("day", 1_000),
        budget_from_now("month", 900),
    ];
    open(&limiter, &policies).await;
    let mut calls = Vec::new();
    for hold_nanousd in [0, 10, 20, 30] {
        let call_id = purser::ids::CallId::new();
        let ask = Ask {
            call_id: &call_id,
            identity: None,
            policies: &policies,
            hold_nanousd,
            slot_ttl_ms: 60_000,
            hold_ttl_ms: 60_000,
        };
        assert!(limiter.reserve(&ask).await.unwrap().is_admitted());
        calls.push(call_id);
    }
    limiter.settle(&calls[0], &policies, 7).await.unwrap();
    limiter.settle(&calls[1], &policies, 7).await.unwrap();
    limiter.release(&calls[2], &policies).await.unwrap();
    // One that was never reserved, in a budget that nobody has touched and that began after the memory did.
    limiter
        .settle(&purser::ids::CallId::new(), &[budget_of("s", "late", 5, i64::from(u32::MAX) * 1_000)], 7)
        .await
        .unwrap();
    let keys = redis_keys(&prefix).await;
    assert_eq!(keys.len(), 2 + 2 * 2 + 1 + 4 + 1, "{keys:?}");
    let mut connection = redis_connection().await;
    for key in keys {
        let ttl_ms: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        assert!(ttl_ms > 0, "{key} stays for ever");
    }
}

#[tokio::test]
async fn a_person_can_read_an_account() {
    let rigs = Rig::all().await;
    let rig = &rigs[0];
    let policies = [budget("day", 1_000)];
    let (call_id, _) = rig.ask(&policies, 400).await;
    rig.ask(&policies, 150).await;
    rig.settle(&call_id, &policies, 123).await;
    let key = rig.redis_key("limit:budget:day:user:1:2027-01");
    let mut connection = redis_connection().await;
    let account: std::collections::BTreeMap<String, String> =
        redis::cmd("HGETALL").arg(key).query_async(&mut connection).await.unwrap();
    let [held, spent] = ["held", "spent"].map(|field| account.get(field).map(String::as_str));
    assert_eq!((held, spent), (Some("150"), Some("123")), "{account:?}");
}

/// Redis needs some microseconds for each, and Upstash bills each.
#[tokio::test]
async fn a_call_costs_redis_no_more_commands_than_it_has_to() {
    let redis = PrivateRedis::start();
    let cache = Cache::tcp(&redis.url(), "").unwrap().with_deadline(PATIENT);
    let limiter = Limiter::redis(cache.clone());
    let windows = ["network", "browser", "requests"].map(|name| window(name, 9, 60_000));
    let budgets = ["user", "plan", "deployment"].map(|name| budget_from_now(name, 1_000));
    let policies = [&windows[..], &[in_flight("running", 9)], &budgets].concat();
    open(&limiter, &policies).await;
    let identity = Identity { subject: "user:1", session: Some("s"), plan: "pro", issued_ms: purser::clock::now_ms() };
    let mut commands = Vec::new();
    // The first makes the keys.
    for _ in 0..3 {
        let call_id = purser::ids::CallId::new();
        let ask = Ask {
            call_id: &call_id,
            identity: Some(identity),
            policies: &policies,
            hold_nanousd: 10,
            slot_ttl_ms: 60_000,
            hold_ttl_ms: 120_000,
        };
        let before = commands_in_scripts(&cache).await;
        assert!(limiter.reserve(&ask).await.unwrap().is_admitted());
        commands.push(commands_in_scripts(&cache).await - before);
    }
    // The time, all keys that are read at once, the marker; three for each place, three for each budget.
    assert_eq!(commands[1..], [3 + 3 * 4 + 3 * 3; 2]);
}

/// How many commands have run but for those that clients send themselves.
async fn commands_in_scripts(cache: &Cache) -> u64 {
    let stats = cache.command(&args(&["INFO", "commandstats"])).await.unwrap();
    let is_inner =
        |name: &str| !["evalsha", "eval", "info", "hello", "client"].iter().any(|sent| name.starts_with(sent));
    let lines = stats.text().unwrap().lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    let inner = lines.filter(|(name, _)| is_inner(name));
    inner.map(|(_, rest)| rest.split(',').next().unwrap().parse::<u64>().unwrap()).sum()
}
