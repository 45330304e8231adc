//! While Redis is away nobody waits for it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use purser::cache::{Arg, Cache, CacheError, Change, Reply};
use purser_tests::{private_redis::PrivateRedis, services, upstash::UpstashDouble};
use tokio::net::TcpListener;

type Changes = Arc<Mutex<Vec<Change>>>;

fn behind_a_breaker(cache: Cache) -> (Cache, Changes) {
    let changes = Changes::default();
    let heard = changes.clone();
    (cache.with_breaker(move |change| heard.lock().unwrap().push(change)), changes)
}

async fn ping(cache: &Cache) -> Result<Reply, CacheError> {
    cache.command(&[Arg::from("PING")]).await
}

/// Waits until the breaker has found out by itself.
async fn until_back(cache: &Cache) {
    let until = Instant::now() + Duration::from_secs(20);
    while cache.is_away() {
        assert!(Instant::now() < until, "it does not come back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_redis_that_hangs_is_waited_for_once() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (cache, changes) =
        behind_a_breaker(Cache::tcp(&format!("redis://{}", silent.local_addr().unwrap()), "").unwrap());
    let asked = Instant::now();
    assert_eq!(ping(&cache).await, Err(CacheError::Deadline));
    let first = asked.elapsed();
    let asked = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(ping(&cache).await, Err(CacheError::Away));
    }
    assert!(first < Duration::from_secs(1) && asked.elapsed() < Duration::from_millis(200), "{first:?} {asked:?}");
    assert_eq!(*changes.lock().unwrap(), [Change::Away { error: CacheError::Deadline }], "said once");
}

#[tokio::test]
async fn a_redis_that_is_back_is_found_without_anybody_asking() {
    let mut redis = PrivateRedis::start();
    let (cache, changes) = behind_a_breaker(Cache::tcp(&redis.url(), "").unwrap());
    assert!(ping(&cache).await.is_ok());
    redis.kill();
    assert!(matches!(ping(&cache).await, Err(CacheError::Unreachable(_))));
    assert_eq!(ping(&cache).await, Err(CacheError::Away));
    redis.start_again();
    until_back(&cache).await;
    assert!(ping(&cache).await.is_ok());
    let said = changes.lock().unwrap().clone();
    assert!(matches!(said[..], [Change::Away { .. }, Change::Back { away_ms: 1.. }]), "{said:?}");
}

#[tokio::test]
async fn whoever_cannot_wait_knocks() {
    let mut redis = PrivateRedis::start();
    let (cache, _) = behind_a_breaker(Cache::tcp(&redis.url(), "").unwrap().with_deadline(Duration::from_secs(5)));
    redis.kill();
    assert!(ping(&cache).await.is_err());
    cache.knock().await;
    assert!(cache.is_away());
    redis.start_again();
    cache.knock().await;
    assert!(ping(&cache).await.is_ok());
}

#[tokio::test]
async fn a_used_up_quota_is_an_outage_and_a_refused_command_is_none() {
    let double = UpstashDouble::start(&services::redis_url()).await.unwrap();
    let cache = Cache::upstash(double.url(), double.token(), "").unwrap().with_deadline(Duration::from_secs(5));
    let (cache, changes) = behind_a_breaker(cache);
    assert!(matches!(cache.command(&[Arg::from("NO-SUCH-COMMAND")]).await, Err(CacheError::Command(_))));
    assert!(!cache.is_away());
    double.set_error(Some("ERR max requests limit exceeded. Limit: 500000, Usage: 500000."));
    assert!(matches!(ping(&cache).await, Err(CacheError::Quota(_))));
    let requests = double.requests();
    assert_eq!(ping(&cache).await, Err(CacheError::Away));
    assert_eq!(double.requests(), requests, "it was not asked");
    double.set_error(None);
    until_back(&cache).await;
    assert!(ping(&cache).await.is_ok());
    assert_eq!(changes.lock().unwrap().len(), 2);
}
