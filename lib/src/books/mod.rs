//! The books. The ledger is the truth; limiter and usage hashes are copies of it that answer faster. Here is what keeps
//! them together: how a call is closed in all of them, what is done about calls that nobody closed, how a copy that was
//! lost is opened again, and how they are compared.
//!
//! Everything is idempotent and may run at the same time in any number of processes.

mod accounts;
mod closing;
mod dead_calls;
mod outbox;
mod reckoning;

pub(crate) use accounts::{callers_budgets, scope, shared_budgets};
pub use closing::{Closing, Written};
pub use dead_calls::Swept;
pub use outbox::Outbox;
pub use reckoning::{Difference, Reckoning};

use std::sync::Arc;

use crate::{
    Code, Error,
    config::budgets::Budgets,
    cost::hashes::UsageHashes,
    limit::{LimitError, Limiter, Overspent},
    store::{Settlement, Store},
};

/// How long a hold keeps its money if nobody says what became of its call. Whoever asks after the call must be dead
/// looks into the ledger, and cron does so at least once a day: this is for the case that both fail.
const HOLD_TTL_MS: u64 = 26 * 3_600_000;

/// The ledger and its copies. Cheap to clone.
#[derive(Clone)]
pub struct Books {
    /// The ledger.
    pub store: Store,
    /// Budgets, windows and slots.
    pub limiter: Limiter,
    /// What people read.
    pub hashes: UsageHashes,
    /// Where closed calls wait for the ledger; none where there is nowhere to wait.
    pub outbox: Option<Outbox>,
    /// What may be spent.
    pub budgets: Budgets,
    /// Age at which a call that nobody has settled counts as dead, in milliseconds.
    pub dead_after_ms: u64,
    /// Says loudly that a call has brought a budget above its limit.
    pub tell: Tell,
}

/// Who is told of a call that has brought a budget above its limit.
pub type Tell = Arc<dyn Fn(&Settlement, &Overspent) + Send + Sync>;

/// How long holds live, where calls are dead after so long.
pub(crate) fn hold_ttl_ms(dead_after_ms: u64) -> u64 {
    HOLD_TTL_MS.max(dead_after_ms)
}

/// What a caller is told where the limiter has no decision.
pub(crate) fn unavailable(error: LimitError) -> Error {
    match error {
        LimitError::Invalid(_) => Error::internal(error),
        error => unavailable_now().log(error),
    }
}

/// What a caller is told where the limiter cannot be had.
pub(crate) fn unavailable_now() -> Error {
    let detail = "The limiter does not answer at the moment; nothing was started. Try again.";
    Error::new(Code::LimiterUnavailable, detail).retry_after_s(2)
}
