//! What could not be settled yet: closed calls that wait until the ledger answers again.
//!
//! They wait in Redis, because that is what still answers when the ledger does not. Development keeps everything in one
//! file, so there is nowhere else to wait.

use std::time::Duration;

use crate::cache::{Arg, Cache, CacheError};

/// Longer than any outage that nobody notices: 30 days.
const LIVES: Duration = Duration::from_secs(30 * 86_400);

/// Where closed calls wait, by their ids.
#[derive(Clone, Debug)]
pub struct Outbox {
    cache: Cache,
    key: String,
}

impl Outbox {
    /// The outbox in a Redis: the hash `outbox`.
    pub fn new(cache: Cache) -> Self {
        let key = format!("{}outbox", cache.prefix());
        Self { cache, key }
    }

    /// Lets a call wait; the same call again replaces what waits.
    ///
    /// # Errors
    /// [`CacheError`]: it does not wait here.
    pub async fn put(&self, call_id: &str, entry: &str) -> Result<(), CacheError> {
        let put = vec![Arg::from("HSET"), Arg::from(&*self.key), Arg::from(call_id), Arg::from(entry)];
        let lives_ms = u64::try_from(LIVES.as_millis()).unwrap_or(u64::MAX);
        let keep = vec![Arg::from("PEXPIRE"), Arg::from(&*self.key), Arg::from(lives_ms)];
        self.cache.pipeline(&[put, keep]).await?.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
    }

    /// All that waits: call ids and entries.
    ///
    /// # Errors
    /// [`CacheError`].
    pub async fn waiting(&self) -> Result<Vec<(String, String)>, CacheError> {
        let reply = self.cache.command(&[Arg::from("HGETALL"), Arg::from(&*self.key)]).await?;
        let pairs = reply.list()?.chunks_exact(2);
        pairs.map(|pair| Ok((pair[0].text()?.to_owned(), pair[1].text()?.to_owned()))).collect()
    }

    /// Takes out a call that is settled.
    ///
    /// # Errors
    /// [`CacheError`]; settling it again is safe.
    pub async fn remove(&self, call_id: &str) -> Result<(), CacheError> {
        self.cache.command(&[Arg::from("HDEL"), Arg::from(&*self.key), Arg::from(call_id)]).await.map(drop)
    }
}
