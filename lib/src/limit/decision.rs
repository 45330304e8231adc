//! What the limiter answers.

use super::{Policy, identity::Refusal};
use crate::ids::CallId;

/// The answer to an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Taken in every policy.
    Admitted {
        /// How they stand now, in the ask's order.
        standings: Vec<Standing>,
        /// When, by the store's clock.
        at_ms: i64,
        /// When the store's memory began: see [`Limiter::open`](super::Limiter::open).
        epoch_ms: i64,
        /// Holds in these budgets whose slot is over and that nobody has settled: at most eight a budget.
        overdue: Vec<Overdue>,
    },
    /// Taken in none.
    Refused {
        /// The names of the policies that do not fit.
        violated: Vec<String>,
        /// The exact wait until the same ask passes if nothing else happens: the longest of the violated policies.
        /// None: never, not even when everything is free. A budget's wait ends with its period or with the holds
        /// that are in the way, whichever is first; a hold that settles earlier makes it shorter.
        retry_after_ms: Option<u64>,
        /// How they stand, in the ask's order.
        standings: Vec<Standing>,
        /// As for an admitted call. What they hold may be what is missing.
        overdue: Vec<Overdue>,
    },
    /// Nothing was decided: ask again when this is out of the way.
    Obstructed(Obstacle),
    /// Taken in none: the caller's token names one plan and another is in force. Ask again with that one's policies.
    PlanChanged {
        /// The plan in force.
        plan: String,
    },
    /// Taken in none: the caller has signed out, or the key has been revoked.
    Revoked,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// By the store's clock: whatever is admitted later is admitted in full knowledge of the call.
    pub at_ms: i64,
    /// Budgets that the call has brought above their limit.
    pub overspent: Vec<Overspent>,
}

/// A budget that cost more than it may. The truth counts all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overspent {
    /// Its name: `user-day`.
    pub budget: String,
    /// Its limit, as it was when the call was admitted.
    pub limit_nanousd: i64,
    /// What its settled calls cost.
    pub spent_nanousd: i64,
}

impl Overspent {
    /// The budget, where that is more than its limit.
    pub(super) fn check(policy: &Policy, spent_nanousd: i64) -> Option<Self> {
        let Policy::Budget { name, limit_nanousd, .. } = policy else { return None };
        let budget = Self { budget: name.clone(), limit_nanousd: *limit_nanousd, spent_nanousd };
        (spent_nanousd > *limit_nanousd).then_some(budget)
    }
}

/// A hold that has outlived its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The call.
    pub call_id: CallId,
    /// What it holds.
    pub hold_nanousd: i64,
}

/// Why budgets cannot be read yet. Nothing was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// By the store's clock another period is on: this machine's clock is wrong, or midnight has just passed.
    OtherPeriod {
        /// The store's time.
        now_ms: i64,
    },
    /// The store may have forgotten these accounts: [`Limiter::open`](super::Limiter::open) them from the ledger.
    Lost {
        /// Their places in the ask.
        accounts: Vec<usize>,
        /// When the store's memory began.
        epoch_ms: i64,
    },
}

/// The answer to a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// How the policies stand, in the order in which they were named.
    Standings(Vec<Standing>),
    /// They cannot be read yet.
    Obstructed(Obstacle),
    /// Another plan is in force than the one that was named.
    PlanChanged {
        /// The plan in force.
        plan: String,
    },
    /// The caller has signed out, or the key has been revoked.
    Revoked,
}

impl From<Refusal> for Decision {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::PlanChanged { plan } => Self::PlanChanged { plan },
            Refusal::Revoked => Self::Revoked,
        }
    }
}

impl From<Refusal> for Reading {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::PlanChanged { plan } => Self::PlanChanged { plan },
            Refusal::Revoked => Self::Revoked,
        }
    }
}

/// The answer to [`Limiter::extend`](super::Limiter::extend).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extension {
    /// The call holds as much as it was told.
    Granted,
    /// A budget has no room, or the call is over. It holds what it held.
    Refused,
    /// Nothing was decided.
    Obstructed(Obstacle),
}

impl Decision {
    /// Whether the call may go on.
    pub fn is_admitted(&self) -> bool {
        matches!(self, Self::Admitted { .. })
    }

    /// How the policies stand, in the ask's order; nothing where they were not looked at.
    pub fn standings(&self) -> &[Standing] {
        match self {
            Self::Admitted { standings, .. } | Self::Refused { standings, .. } => standings,
            Self::Obstructed(_) | Self::PlanChanged { .. } | Self::Revoked => &[],
        }
    }

    /// From every policy's standing and verdict, in the ask's order.
    pub(super) fn from_verdicts(
        parts: Vec<(Standing, Verdict)>,
        at_ms: i64,
        epoch_ms: i64,
        overdue: Vec<Overdue>,
    ) -> Self {
        let mut violated = Vec::new();
        let mut retry_after_ms = Some(0);
        for (standing, verdict) in &parts {
            if let Verdict::Violated { wait_ms } = verdict {
                violated.push(standing.policy.clone());
                retry_after_ms = retry_after_ms.zip(*wait_ms).map(|(longest, wait)| longest.max(wait));
            }
        }
        let standings = parts.into_iter().map(|(standing, _)| standing).collect();
        if violated.is_empty() {
            Self::Admitted { standings, at_ms, epoch_ms, overdue }
        } else {
            Self::Refused { violated, retry_after_ms, standings, overdue }
        }
    }
}

/// How a policy stands for its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The policy's name.
    pub policy: String,
    /// Whether it is a budget, so that the figures are nanodollars.
    pub is_money: bool,
    /// Its limit, in calls or, for a budget, in nanodollars.
    pub limit: u64,
    /// What is left, in the same unit.
    pub remaining: u64,
    /// Milliseconds until MORE is left if nothing else happens, in a budget until its next period; none where
    /// everything is left, or never will be.
    pub reset_ms: Option<u64>,
}

impl Standing {
    pub(super) fn new(policy: &Policy, remaining: i64, reset_ms: Option<u64>) -> Self {
        let [limit, remaining] = [policy.limit(), remaining].map(|number| u64::try_from(number).unwrap_or(0));
        let is_money = matches!(policy, Policy::Budget { .. });
        Self { policy: policy.name().to_owned(), is_money, limit, remaining, reset_ms }
    }
}

/// Whether one policy has room for an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fits,
    /// `None` is never.
    Violated {
        wait_ms: Option<u64>,
    },
}
