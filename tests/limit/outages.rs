//! What a function must survive: silence, restarts, wrong secrets, used-up quotas.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use purser::{
    cache::{Arg, Cache, CacheError, Reply},
    ids::CallId,
    limit::{Ask, LimitError, Limiter},
};
use purser_tests::{private_redis::PrivateRedis, services, upstash::UpstashDouble};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use crate::rig::{PATIENT, budget_from_now, open, window};

async fn ping(cache: &Cache) -> Result<Reply, CacheError> {
    cache.command(&[Arg::from("PING")]).await
}

fn pong() -> Result<Reply, CacheError> {
    Ok(Reply::Text(b"PONG".to_vec()))
}

async fn reserve(limiter: &Limiter) -> Result<bool, LimitError> {
    let (call_id, policies) = (CallId::new(), [window("requests", 2, 3_600_000)]);
    let ask = Ask {
        call_id: &call_id,
        identity: None,
        policies: &policies,
        hold_nanousd: 1,
        slot_ttl_ms: 60_000,
        hold_ttl_ms: 60_000,
    };
    Ok(limiter.reserve(&ask).await?.is_admitted())
}

#[tokio::test]
async fn a_redis_that_never_answers_costs_the_deadline_and_no_more() {
    // Takes connections into its backlog and never reads a byte.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let caches = [
        Cache::tcp(&format!("redis://{address}"), "").unwrap(),
        // With a password the handshake itself waits for an answer.
        Cache::tcp(&format!("redis://:secret@{address}"), "").unwrap(),
        Cache::upstash(&format!("http://{address}"), "secret", "").unwrap(),
    ];
    for cache in caches {
        let asked = Instant::now();
        assert_eq!(ping(&cache).await, Err(CacheError::Deadline), "{cache:?}");
        let took = asked.elapsed();
        assert!((Duration::from_millis(195)..Duration::from_secs(2)).contains(&took), "{cache:?}: {took:?}");
        let limited = reserve(&Limiter::redis(cache)).await;
        assert!(matches!(limited, Err(LimitError::Cache(CacheError::Deadline))), "{limited:?}");
    }
}

/// Answers OK to whatever comes, the first time after a second and a half. Counts its connections.
async fn drowsy_redis(listener: TcpListener, connections: Arc<AtomicUsize>) {
    let mut pause = Duration::from_millis(1_500);
    while let Ok((mut socket, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        while socket.read(&mut [0; 1_024]).await.is_ok_and(|count| count > 0) {
            tokio::time::sleep(std::mem::take(&mut pause)).await;
            socket.write_all(b"+OK\r\n").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_slow_handshake_is_finished_by_the_next_call_and_not_begun_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let mut server = JoinSet::new();
    server.spawn(drowsy_redis(listener, connections.clone()));
    let cache = Cache::tcp(&format!("redis://:secret@{address}"), "").unwrap();
    let hasty = cache.clone().with_deadline(Duration::from_secs(1));
    assert_eq!(ping(&hasty).await, Err(CacheError::Deadline));
    assert_eq!(ping(&hasty).await, Ok(Reply::Text(b"OK".to_vec())));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn tls_against_a_server_without_it_is_an_outage() {
    let plain = services::redis_url().replace("redis://", "rediss://");
    let cache = Cache::tcp(&plain, "").unwrap().with_deadline(PATIENT);
    // Redis takes the handshake for the beginning of a line and waits for its end, if chance has not put one there.
    let refused = ping(&cache).await;
    assert!(matches!(refused, Err(CacheError::Deadline | CacheError::Unreachable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_slow_upstash_is_given_up_and_taken_up_again() {
    let double = UpstashDouble::start(&services::redis_url()).await.unwrap();
    let slow = Cache::upstash(double.url(), double.token(), "").unwrap().with_deadline(Duration::from_millis(100));
    let patient = slow.clone().with_deadline(PATIENT);
    double.set_latency(Duration::from_millis(400));
    assert_eq!(ping(&slow).await, Err(CacheError::Deadline));
    assert_eq!(ping(&patient).await, pong());
    double.set_latency(Duration::ZERO);
    assert_eq!(ping(&patient).await, pong());
}

#[tokio::test]
async fn a_restarted_redis_is_found_again() {
    let mut redis = PrivateRedis::start();
    let cache = Cache::tcp(&redis.url(), "").unwrap().with_deadline(PATIENT);
    let limiter = Limiter::redis(cache.clone());
    cache.warm().await;
    assert!(reserve(&limiter).await.unwrap());
    redis.kill();
    for _ in 0..2 {
        assert!(matches!(ping(&cache).await, Err(CacheError::Unreachable(_))));
    }
    redis.start_again();
    // The scripts are gone with the old process.
    assert!(reserve(&limiter).await.unwrap());
}

#[tokio::test]
async fn a_connection_that_died_unnoticed_costs_no_call() {
    let redis = PrivateRedis::start();
    let cache = Cache::tcp(&redis.url(), "").unwrap().with_deadline(PATIENT);
    for _ in 0..3 {
        assert_eq!(ping(&cache).await, pong());
        redis.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    assert_eq!(ping(&cache).await, pong());
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_told_again() {
    let redis = PrivateRedis::start();
    let double = UpstashDouble::start(&redis.url()).await.unwrap();
    let caches = [
        Cache::tcp(&redis.url(), "tcp:").unwrap().with_deadline(PATIENT),
        Cache::upstash(double.url(), double.token(), "rest:").unwrap().with_deadline(PATIENT),
    ];
    for cache in caches {
        let limiter = Limiter::redis(cache);
        assert!(reserve(&limiter).await.unwrap());
        redis.command(&["SCRIPT", "FLUSH"]);
        assert!(reserve(&limiter).await.unwrap());
        assert!(!reserve(&limiter).await.unwrap());
    }
}

#[tokio::test]
async fn an_operation_is_one_round_trip_once_the_script_is_known() {
    let redis = PrivateRedis::start();
    let double = UpstashDouble::start(&redis.url()).await.unwrap();
    let cache = Cache::upstash(double.url(), double.token(), "").unwrap().with_deadline(PATIENT);
    let (limiter, call_id) = (Limiter::redis(cache), CallId::new());
    let policies = [window("requests", 100, 3_600_000), budget_from_now("day", 100)];
    open(&limiter, &policies).await;
    let mut trips = Vec::new();
    for _ in 0..2 {
        let before = double.requests();
        reserve(&limiter).await.unwrap();
        limiter.settle(&call_id, &policies, 1).await.unwrap();
        limiter.peek(&policies).await.unwrap();
        limiter.release(&call_id, &policies).await.unwrap();
        trips.push(double.requests() - before);
    }
    assert_eq!(trips, [8, 4], "first the hash, then the text; later the hash alone");
}

#[tokio::test]
async fn a_wrong_secret_is_told_from_an_outage() {
    let double = UpstashDouble::start(&services::redis_url()).await.unwrap();
    let wrong = Cache::upstash(double.url(), "wrong", "").unwrap().with_deadline(PATIENT);
    assert_eq!(ping(&wrong).await, Err(CacheError::Auth));

    let redis = PrivateRedis::start();
    redis.command(&["CONFIG", "SET", "requirepass", "right"]);
    for (user, expected) in [("", Err(CacheError::Auth)), (":wrong@", Err(CacheError::Auth)), (":right@", pong())] {
        let url = format!("redis://{user}127.0.0.1:{}", redis.port());
        let cache = Cache::tcp(&url, "").unwrap().with_deadline(PATIENT);
        assert_eq!(ping(&cache).await, expected, "{user}");
    }
}

#[tokio::test]
async fn a_used_up_quota_is_an_outage_that_nobody_retries() {
    let double = UpstashDouble::start(&services::redis_url()).await.unwrap();
    let limiter = Limiter::redis(Cache::upstash(double.url(), double.token(), "").unwrap().with_deadline(PATIENT));
    for text in ["ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.", "ERR max requests limit exceeded"]
    {
        double.set_error(Some(text));
        let before = double.requests();
        let limited = reserve(&limiter).await;
        assert!(matches!(&limited, Err(LimitError::Cache(CacheError::Quota(_)))), "{limited:?}");
        assert_eq!(double.requests() - before, 1, "asked once");
    }
}
