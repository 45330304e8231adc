//! What the limiter answers.

use super::Policy;

/// The answer to an ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Taken in every policy.
    Admitted {
        /// How they stand now, in the ask's order.
        standings: Vec<Standing>,
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
    },
    /// Taken in none: the caller's token names one plan and another is in force. Ask again with that one's policies.
    PlanChanged {
        /// The plan in force.
        plan: String,
    },
    /// Taken in none: the caller has signed out, or the key has been revoked.
    Revoked,
}

impl Decision {
    /// Whether the call may go on.
    pub fn is_admitted(&self) -> bool {
        matches!(self, Self::Admitted { .. })
    }

    /// How the policies stand, in the ask's order; nothing where they were not looked at.
    pub fn standings(&self) -> &[Standing] {
        match self {
            Self::Admitted { standings } | Self::Refused { standings, .. } => standings,
            Self::PlanChanged { .. } | Self::Revoked => &[],
        }
    }

    /// From every policy's standing and verdict, in the ask's order.
    pub(super) fn from_verdicts(parts: Vec<(Standing, Verdict)>) -> Self {
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
            Self::Admitted { standings }
        } else {
            Self::Refused { violated, retry_after_ms, standings }
        }
    }
}

/// How a policy stands for its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The policy's name.
    pub policy: String,
    /// Its limit, in calls or, for a budget, in nanodollars.
    pub limit: u64,
    /// What is left, in the same unit.
    pub remaining: u64,
    /// Milliseconds until MORE is left if nothing else happens; none where everything is left, or never will be.
    pub reset_ms: Option<u64>,
}

impl Standing {
    pub(super) fn new(policy: &Policy, remaining: i64, reset_ms: Option<u64>) -> Self {
        let [limit, remaining] = [policy.limit(), remaining].map(|number| u64::try_from(number).unwrap_or(0));
        Self { policy: policy.name().to_owned(), limit, remaining, reset_ms }
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
