//! Protections that the prover's own tests take away, to see that it notices. Only debug builds can be told to: in a
//! release build nothing here is more than a constant.

/// Something that keeps the books right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// A call holds what it could cost.
    Hold,
    /// The ledger row stands before Claude hears of the call.
    WriteAhead,
    /// A call is settled although its client has left.
    SettleAfterHangup,
    /// Rows that a dead process left behind are settled.
    Reconcile,
    /// While Redis is away, budgets come out of the ledger.
    DegradedBudget,
}

impl Protection {
    /// Its name in `PURSER_SABOTAGE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::WriteAhead => "write_ahead",
            Self::SettleAfterHangup => "settle_after_hangup",
            Self::Reconcile => "reconcile",
            Self::DegradedBudget => "degraded_budget",
        }
    }

    /// Whether it has been taken away.
    #[cfg(debug_assertions)]
    pub fn is_off(self) -> bool {
        crate::env::get(&crate::env::PURSER_SABOTAGE).is_some_and(|name| name == self.as_str())
    }

    /// Whether it has been taken away: never.
    #[cfg(not(debug_assertions))]
    pub const fn is_off(self) -> bool {
        false
    }
}
