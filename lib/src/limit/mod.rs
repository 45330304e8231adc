//! Windows, holds and budgets, taken all or nothing in one atomic step.
//!
//! Windows slide exactly: an entry made at `t` counts in `(now - window, now]` and is gone at `t + window`. A budget
//! is what has been settled plus the holds of running calls; a hold is a record of its own that expires by itself.
//! A refused ask takes nothing. Times are the store's clock, in milliseconds. Zero means none.

mod algebra;
mod decision;
mod error;
mod identity;
mod memory;
mod policy;
mod redis;
mod scripts;
#[cfg(sqlite)]
mod sqlite;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use self::identity::Note;
#[cfg(sqlite)]
pub use self::sqlite::SqliteLimiter;
pub use self::{
    decision::{Decision, Standing},
    error::LimitError,
    identity::Identity,
    memory::MemoryLimiter,
    policy::{Ask, MAX_EXACT, Policy},
    redis::RedisLimiter,
};
use crate::{cache::Cache, ids::CallId};

/// How long it is remembered what became of a call, after its hold is over: three days. A call that is settled
/// twice within them is charged once.
const MARKER_MS: u64 = 3 * 86_400_000;

/// Whose time counts.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The store's: Redis `TIME`, or this machine's for SQLite and memory.
    #[default]
    Store,
    /// A time in milliseconds that stands still until somebody moves it. For tests.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    fn fixed_ms(&self) -> Option<i64> {
        match self {
            Self::Store => None,
            Self::Fixed(time_ms) => Some(time_ms.load(Ordering::SeqCst)),
        }
    }

    /// For backends whose clock is this machine's.
    fn now_ms(&self) -> i64 {
        self.fixed_ms().unwrap_or_else(crate::clock::now_ms)
    }
}

/// Where limits are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Limiter {
    /// Redis, over TCP or as Upstash.
    Redis(RedisLimiter),
    /// A file that the processes of one machine share: development.
    #[cfg(sqlite)]
    Sqlite(SqliteLimiter),
    /// This process only: what a degraded instance uses.
    Memory(MemoryLimiter),
}

impl Limiter {
    /// Limits in Redis.
    pub fn redis(cache: Cache) -> Self {
        Self::Redis(RedisLimiter::new(cache))
    }

    /// Limits in a SQLite file; makes its tables (`limit_…`) on first use.
    #[cfg(sqlite)]
    pub fn sqlite(db: crate::sqlite::Sqlite) -> Self {
        Self::Sqlite(SqliteLimiter::new(db))
    }

    /// Limits in this process, for at most `max_accounts` pairs of policy and subject. Where they are all in use,
    /// another one is an error: what holds is never forgotten.
    pub fn memory(max_accounts: usize) -> Self {
        Self::Memory(MemoryLimiter::new(max_accounts))
    }

    /// The same with another clock. For tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        match &mut self {
            Self::Redis(redis) => redis.clock = clock,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.clock = clock,
            Self::Memory(memory) => memory.clock = clock,
        }
        self
    }

    /// Takes a place in every policy of the ask, or in none. The same call asking twice is admitted once. Where the
    /// ask's identity is over or its plan another one, nothing is taken either.
    ///
    /// # Errors
    /// Any [`LimitError`]: no decision, and nothing may be started.
    pub async fn reserve(&self, ask: &Ask<'_>) -> Result<Decision, LimitError> {
        ask.check()?;
        match self {
            Self::Redis(redis) => redis.reserve(ask).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.reserve(ask).await,
            Self::Memory(memory) => memory.reserve(ask),
        }
    }

    /// Turns the call's hold into what it cost and frees its slot; request windows keep their entry. Settling twice
    /// changes nothing. Where the hold has expired the cost counts all the same, even above a limit.
    ///
    /// # Errors
    /// Any [`LimitError`]; settling again is safe.
    pub async fn settle(&self, call_id: &CallId, policies: &[Policy], actual_nanousd: i64) -> Result<(), LimitError> {
        policy::check_money(actual_nanousd)?;
        policy::check_policies(policies)?;
        match self {
            Self::Redis(redis) => redis.settle(call_id, policies, actual_nanousd).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.settle(call_id, policies, actual_nanousd).await,
            Self::Memory(memory) => memory.settle(call_id, policies, actual_nanousd),
        }
    }

    /// Gives back all that the call took, its entry in request windows included: for a call that came to nothing.
    /// A settled call keeps what it cost. Releasing twice changes nothing.
    ///
    /// # Errors
    /// Any [`LimitError`]; what is not given back expires.
    pub async fn release(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        policy::check_policies(policies)?;
        match self {
            Self::Redis(redis) => redis.release(call_id, policies).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.release(call_id, policies).await,
            Self::Memory(memory) => memory.release(call_id, policies),
        }
    }

    /// How the policies stand. Takes nothing and writes nothing.
    ///
    /// # Errors
    /// Any [`LimitError`].
    pub async fn peek(&self, policies: &[Policy]) -> Result<Vec<Standing>, LimitError> {
        Ok(self.look(None, policies).await?.standings().to_vec())
    }

    /// How the policies stand for somebody: `Admitted`, or what became of the identity. Takes nothing and writes
    /// nothing. Without policies it only checks the identity.
    ///
    /// # Errors
    /// Any [`LimitError`].
    pub async fn look(&self, identity: Option<Identity<'_>>, policies: &[Policy]) -> Result<Decision, LimitError> {
        policy::check_policies(policies)?;
        match self {
            Self::Redis(redis) => redis.look(identity, policies).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.look(identity, policies).await,
            Self::Memory(memory) => Ok(memory.look(identity, policies)),
        }
    }

    /// Says which plan is in force for a caller, whatever their tokens say: from the next ask on, for a day, which
    /// is longer than any access token lives.
    ///
    /// # Errors
    /// Any [`LimitError`]; saying it again is safe.
    pub async fn set_plan(&self, subject: &str, plan: &str) -> Result<(), LimitError> {
        self.note(Note::plan(subject, plan)).await
    }

    /// Ends a session or an API key: from the next ask on, for `ttl_ms`, which must be longer than its tokens live.
    ///
    /// # Errors
    /// Any [`LimitError`]; ending it again is safe.
    pub async fn revoke_session(&self, session: &str, ttl_ms: u64) -> Result<(), LimitError> {
        self.note(Note::session(session, ttl_ms)?).await
    }

    /// Ends everything of a caller that was issued before a moment (milliseconds since 1970), for `ttl_ms`. A later
    /// moment is never replaced by an earlier one.
    ///
    /// # Errors
    /// Any [`LimitError`]; ending it again is safe.
    pub async fn revoke_before(&self, subject: &str, before_ms: i64, ttl_ms: u64) -> Result<(), LimitError> {
        self.note(Note::before(subject, before_ms, ttl_ms)?).await
    }

    async fn note(&self, note: Note) -> Result<(), LimitError> {
        match self {
            Self::Redis(redis) => redis.note(&note).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.note(note).await,
            Self::Memory(memory) => memory.note(note),
        }
    }
}
