//! What the ledger says of a budget that the limiter has forgotten.

use super::Policy;
use crate::ids::CallId;

/// A budget's account, as the ledger knows it at one moment.
///
/// A call may be settled in the ledger and not yet here, or the other way round; so an opening says which calls of its
/// sum are still on their way. Their settling changes nothing then, and every call is counted once.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The budget.
    pub policy: Policy,
    /// The sum of all settled calls, in nanodollars.
    pub settled_nanousd: i64,
    /// Calls of that sum that the limiter may not have settled yet.
    pub settling: Vec<CallId>,
    /// Calls that are running.
    pub running: Vec<RunningCall>,
}

/// A call that the ledger has not settled.
#[derive(Clone, Debug)]
pub struct RunningCall {
    /// The call.
    pub call_id: CallId,
    /// The most that it can cost, in nanodollars.
    pub hold_nanousd: i64,
    /// When its hold ends, in milliseconds since 1970.
    pub ends_at_ms: i64,
}

/// What an account says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figures {
    /// It is in use.
    Open {
        /// What settled calls cost, in nanodollars.
        spent_nanousd: i64,
        /// What running calls hold.
        held_nanousd: i64,
    },
    /// Nobody has spent or held anything.
    Untouched,
    /// It may have been forgotten.
    Lost,
}
