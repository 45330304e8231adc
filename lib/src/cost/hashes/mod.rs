//! Usage hashes: what was used per day and per caller, for a person to read (`HGETALL usage:daily:2026-11-24`).
//!
//! A cache of the ledger: it can be thrown away and rebuilt from there. Written once per call. All of it expires: a
//! day's hash [`DAILY_MS`] after its last call, a caller's [`USER_MS`] ([`ANONYMOUS_MS`]) after theirs, and what
//! keeps a call from being counted twice after [`MARKER_MS`].

mod error;
mod hash_of;
mod redis;
#[cfg(sqlite)]
mod sqlite;

#[cfg(sqlite)]
pub use self::sqlite::SqliteHashes;
pub use self::{error::HashesError, hash_of::HashOf};
use crate::{
    cache::Cache,
    clock,
    ids::{CallId, CallerId},
    usage::Usage,
};

const DAY_MS: u64 = 86_400_000;
/// A day's hash: 90 days.
pub const DAILY_MS: u64 = 90 * DAY_MS;
/// A user's hash: 400 days.
pub const USER_MS: u64 = 400 * DAY_MS;
/// An anonymous browser's hash: 30 days, the browser may never come back.
pub const ANONYMOUS_MS: u64 = 30 * DAY_MS;
/// How long recording a call again changes nothing: three days.
pub const MARKER_MS: u64 = 3 * DAY_MS;

/// One settled call.
#[derive(Clone, Copy, Debug)]
pub struct UsageEntry<'a> {
    /// The call; recording it again changes nothing.
    pub call_id: &'a CallId,
    /// Who made it.
    pub caller: &'a CallerId,
    /// When it began, in milliseconds since 1970: decides its day (UTC).
    pub at_ms: i64,
    /// Whether it failed.
    pub failed: bool,
    /// What it used.
    pub usage: &'a Usage,
    /// What it cost, in nanodollars; not negative.
    pub cost_nanousd: i64,
    /// How long it took, in milliseconds.
    pub total_ms: u64,
}

/// A hash as it stands. Exact up to 2^53 - 1 in every field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageTotals {
    /// Calls.
    pub requests: i64,
    /// Calls that failed.
    pub errors: i64,
    /// Uncached prompt tokens.
    pub input_tokens: i64,
    /// Prompt tokens written to the cache for five minutes.
    pub cache_write_5m_tokens: i64,
    /// Prompt tokens written to the cache for an hour.
    pub cache_write_1h_tokens: i64,
    /// Prompt tokens read from the cache.
    pub cache_read_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
    /// Web searches.
    pub web_search_requests: i64,
    /// Cost in nanodollars.
    pub cost_nanousd: i64,
    /// The same in dollars, with all nine decimals.
    pub cost_usd: String,
    /// The time of all calls together, in milliseconds.
    pub total_ms: i64,
    /// The slowest call, in milliseconds.
    pub slowest_ms: i64,
}

/// The numbers of a hash, in this order everywhere. `cost_usd` follows from `cost_nanousd`.
const FIELDS: [&str; 11] = [
    "requests",
    "errors",
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
    "web_search_requests",
    "cost_nanousd",
    "total_ms",
    "slowest_ms",
];

impl UsageEntry<'_> {
    /// What the call adds, in the order of [`FIELDS`].
    fn amounts(&self) -> [i64; 11] {
        let usage = self.usage;
        [
            1,
            u64::from(self.failed),
            usage.input_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
            usage.output_tokens,
            usage.web_search_requests,
            u64::try_from(self.cost_nanousd).unwrap_or(0),
            self.total_ms,
            self.total_ms,
        ]
        .map(|amount| i64::try_from(amount).unwrap_or(i64::MAX))
    }

    fn daily_key(&self) -> String {
        daily_key(&clock::day_utc(self.at_ms))
    }

    fn user_ms(&self) -> u64 {
        caller_ms(self.caller)
    }
}

impl UsageTotals {
    /// Names and numbers, in the order of the ledger's sums.
    pub fn numbers(&self) -> [(&'static str, i64); 11] {
        let numbers = [
            self.requests,
            self.errors,
            self.input_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.cache_read_tokens,
            self.output_tokens,
            self.web_search_requests,
            self.cost_nanousd,
            self.total_ms,
            self.slowest_ms,
        ];
        std::array::from_fn(|at| (FIELDS[at], numbers[at]))
    }

    fn new(numbers: [i64; 11], cost_usd: String) -> Self {
        let [
            requests,
            errors,
            input_tokens,
            cache_write_5m_tokens,
            cache_write_1h_tokens,
            cache_read_tokens,
            output_tokens,
            web_search_requests,
            cost_nanousd,
            total_ms,
            slowest_ms,
        ] = numbers;
        Self {
            requests,
            errors,
            input_tokens,
            cache_write_5m_tokens,
            cache_write_1h_tokens,
            cache_read_tokens,
            output_tokens,
            web_search_requests,
            cost_nanousd,
            cost_usd,
            total_ms,
            slowest_ms,
        }
    }
}

fn caller_ms(caller: &CallerId) -> u64 {
    if caller.as_str().starts_with("user:") { USER_MS } else { ANONYMOUS_MS }
}

fn daily_key(day: &str) -> String {
    format!("usage:daily:{day}")
}

/// `usage:user:42` for `user:42`. Where an id contains a colon itself, and for anonymous browsers, the whole caller
/// id stands there, so that no two callers share a hash.
fn user_key(caller: &CallerId) -> String {
    let id = caller.as_str();
    let short = id.strip_prefix("user:").filter(|id| !id.contains(':')).unwrap_or(id);
    format!("usage:user:{short}")
}

/// Where the hashes are. Cheap to clone.
#[derive(Clone, Debug)]
pub enum UsageHashes {
    /// Redis of either kind: real hashes.
    Redis(Cache),
    /// A table of the development file, one row a hash.
    #[cfg(sqlite)]
    Sqlite(SqliteHashes),
}

impl UsageHashes {
    /// Hashes in a SQLite file; makes its tables (`usage_…`) on first use.
    #[cfg(sqlite)]
    pub fn sqlite(db: crate::sqlite::Sqlite) -> Self {
        Self::Sqlite(SqliteHashes::new(db))
    }

    /// Adds a call to its day and its caller, in one round trip. Recording it again changes nothing.
    ///
    /// # Errors
    /// Any [`HashesError`]; recording again is safe.
    pub async fn record(&self, call: &UsageEntry<'_>) -> Result<(), HashesError> {
        match self {
            Self::Redis(cache) => Ok(redis::record(cache, call).await?),
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => Ok(sqlite.record(call).await?),
        }
    }

    /// What all callers used on a day (`YYYY-MM-DD`, UTC); none if nothing was recorded.
    ///
    /// # Errors
    /// Any [`HashesError`].
    pub async fn read_daily(&self, day: &str) -> Result<Option<UsageTotals>, HashesError> {
        self.read(daily_key(day)).await
    }

    /// What a caller used in all; none if nothing was recorded.
    ///
    /// # Errors
    /// Any [`HashesError`].
    pub async fn read_user(&self, caller: &CallerId) -> Result<Option<UsageTotals>, HashesError> {
        self.read(user_key(caller)).await
    }

    /// A hash as it stands; none if nothing was recorded.
    ///
    /// # Errors
    /// Any [`HashesError`].
    pub async fn read_hash(&self, hash: &HashOf) -> Result<Option<UsageTotals>, HashesError> {
        self.read(hash.key()).await
    }

    /// Puts what the ledger says in the place of a hash that has counted so many calls: the numbers in the order of
    /// [`UsageTotals::numbers`]. Nothing is done, and false given, if another call has been counted meanwhile.
    ///
    /// # Errors
    /// Any [`HashesError`]; replacing again is safe.
    pub async fn replace(&self, hash: &HashOf, counted: i64, numbers: [i64; 11]) -> Result<bool, HashesError> {
        match self {
            Self::Redis(cache) => Ok(redis::replace(cache, hash, counted, numbers).await?),
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => Ok(sqlite.replace(hash, counted, numbers).await?),
        }
    }

    async fn read(&self, key: String) -> Result<Option<UsageTotals>, HashesError> {
        match self {
            Self::Redis(cache) => Ok(redis::read(cache, &key).await?),
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => Ok(sqlite.read(key).await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_callers_share_a_hash() {
        let callers = ["user:42", "user:user:42", "anon:42", "user:anon:42", "user:a:b"];
        let mut keys: Vec<_> = callers.iter().map(|id| user_key(&CallerId((*id).to_owned()))).collect();
        assert_eq!(keys[0], "usage:user:42");
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), callers.len());
    }
}
