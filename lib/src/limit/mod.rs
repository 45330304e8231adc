//! Windows, holds and budgets, taken all or nothing in one atomic step.
//!
//! A budget's account is a copy of the ledger's sum. Where the store may have forgotten it (its period began before the
//! store's memory did), nobody spends out of it until it has been opened from the ledger.
//!
//! Windows slide exactly: an entry made at `t` counts in `(now - window, now]` and is gone at `t + window`. A budget
//! is what has been settled plus the holds of running calls; a hold is a record of its own that expires by itself.
//! A refused ask takes nothing. Times are the store's clock, in milliseconds. Zero means none.

mod algebra;
mod decision;
mod error;
mod identity;
mod memory;
mod notes;
mod opening;
mod policy;
mod redis;
mod scripts;
#[cfg(sqlite)]
mod sqlite;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use self::algebra::End;
#[cfg(sqlite)]
pub use self::sqlite::SqliteLimiter;
pub use self::{
    decision::{Decision, Extension, Obstacle, Overdue, Overspent, Reading, Settled, Standing},
    error::LimitError,
    identity::Identity,
    memory::MemoryLimiter,
    opening::{Figures, Opening, RunningCall},
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
            Self::Store => crate::clock::moved_store_ms(),
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

    /// The store's time, in milliseconds since 1970: the clock that calls are dated by.
    ///
    /// # Errors
    /// Any [`LimitError`].
    pub async fn now_ms(&self) -> Result<i64, LimitError> {
        match self {
            Self::Redis(redis) => redis.now_ms().await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => Ok(sqlite.clock.now_ms()),
            Self::Memory(memory) => Ok(memory.clock.now_ms()),
        }
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

    /// Takes a place in every policy of the ask, or in none. The same call asking twice is admitted once.
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

    /// Makes the hold of a running call as large as the ask says, in all of its budgets or in none; windows and slots
    /// are not looked at. Its lifetime starts anew. A call that runs over midnight stays in its period.
    ///
    /// # Errors
    /// Any [`LimitError`]: no decision, and the call holds what it held, or what it asked for.
    pub async fn extend(&self, ask: &Ask<'_>) -> Result<Extension, LimitError> {
        ask.check()?;
        match self {
            Self::Redis(redis) => redis.extend(ask).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.extend(ask).await,
            Self::Memory(memory) => memory.extend(ask),
        }
    }

    /// Opens a lost account with what the ledger knows. One that is open stays as it is.
    ///
    /// # Errors
    /// Any [`LimitError`]; opening again is safe.
    pub async fn open(&self, opening: &Opening) -> Result<(), LimitError> {
        policy::check_money(opening.settled_nanousd)?;
        policy::check_policies(std::slice::from_ref(&opening.policy))?;
        match self {
            Self::Redis(redis) => redis.open(opening).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.open(opening).await,
            Self::Memory(memory) => memory.open(opening),
        }
    }

    /// Turns the call's hold into what it cost and frees its slot; request windows keep their entry. Settling twice
    /// changes nothing. Where the hold has expired the cost counts all the same, even above a limit.
    ///
    /// # Errors
    /// Any [`LimitError`]; settling again is safe.
    pub async fn settle(
        &self,
        call_id: &CallId,
        policies: &[Policy],
        actual_nanousd: i64,
    ) -> Result<Settled, LimitError> {
        self.end(&End { call_id, cost_nanousd: actual_nanousd, made_ms: None }, policies).await
    }

    /// Settles a call that was admitted elsewhere while this limiter was away: its request windows get their entry as
    /// well, at the time at which it was made (milliseconds since 1970), unless they have it.
    ///
    /// # Errors
    /// Any [`LimitError`]; settling again is safe.
    pub async fn settle_late(
        &self,
        call_id: &CallId,
        policies: &[Policy],
        actual_nanousd: i64,
        made_ms: i64,
    ) -> Result<Settled, LimitError> {
        policy::check_money(made_ms)?;
        self.end(&End { call_id, cost_nanousd: actual_nanousd, made_ms: Some(made_ms) }, policies).await
    }

    async fn end(&self, end: &End<'_>, policies: &[Policy]) -> Result<Settled, LimitError> {
        policy::check_money(end.cost_nanousd)?;
        policy::check_policies(policies)?;
        match self {
            Self::Redis(redis) => redis.settle(end, policies).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.settle(end, policies).await,
            Self::Memory(memory) => memory.settle(end, policies),
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

    /// Takes an overdue hold out of these budgets: for a call that was never made. Doing it again changes nothing.
    ///
    /// # Errors
    /// Any [`LimitError`].
    pub async fn forget(&self, hold: &Overdue, policies: &[Policy]) -> Result<(), LimitError> {
        policy::check_policies(policies)?;
        match self {
            Self::Redis(redis) => redis.forget(hold, policies).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.forget(hold, policies).await,
            Self::Memory(memory) => memory.forget(hold, policies),
        }
    }

    /// What the accounts of budgets say, in their order: for a comparison with the ledger. Periods do not matter.
    ///
    /// # Errors
    /// Any [`LimitError`].
    pub async fn figures(&self, budgets: &[Policy]) -> Result<Vec<Figures>, LimitError> {
        policy::check_budgets(budgets)?;
        match self {
            Self::Redis(redis) => redis.figures(budgets).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.figures(budgets).await,
            Self::Memory(memory) => memory.figures(budgets),
        }
    }

    /// Forgets the accounts of budgets, so that nobody spends out of them until they are opened from the ledger. A new
    /// epoch begins.
    ///
    /// # Errors
    /// Any [`LimitError`]; doing it again is safe.
    pub async fn drop_accounts(&self, budgets: &[Policy]) -> Result<(), LimitError> {
        policy::check_budgets(budgets)?;
        match self {
            Self::Redis(redis) => redis.drop_accounts(budgets).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.drop_accounts(budgets).await,
            Self::Memory(memory) => memory.drop_accounts(budgets),
        }
    }

    /// How the policies stand. Takes nothing and writes nothing.
    ///
    /// # Errors
    /// Any [`LimitError`].
    pub async fn peek(&self, policies: &[Policy]) -> Result<Reading, LimitError> {
        self.look(None, policies).await
    }

    /// How the policies stand for somebody, or what became of the identity. Takes nothing and writes nothing. Without
    /// policies it only checks the identity.
    ///
    /// # Errors
    /// Any [`LimitError`].
    pub async fn look(&self, identity: Option<Identity<'_>>, policies: &[Policy]) -> Result<Reading, LimitError> {
        policy::check_policies(policies)?;
        match self {
            Self::Redis(redis) => redis.look(identity, policies).await,
            #[cfg(sqlite)]
            Self::Sqlite(sqlite) => sqlite.look(identity, policies).await,
            Self::Memory(memory) => Ok(memory.look(identity, policies)),
        }
    }
}
