//! What can be limited, and what is asked for.

use serde::{Deserialize, Serialize};

use super::{Identity, LimitError};
use crate::ids::CallId;

/// The largest number that Redis scripts count exactly (2^53 - 1): about nine million dollars in nanodollars.
pub const MAX_EXACT: i64 = (1 << 53) - 1;

/// One limit for one subject. A limit of zero admits nothing, ever. As JSON it is what the ledger keeps of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Policy {
    /// An exact sliding window: no span of `window_ms` ever holds more than `limit` admitted calls.
    Window {
        /// The policy's name, without a colon.
        name: String,
        /// Whose window it is.
        subject: String,
        /// Most calls in any span.
        limit: u64,
        /// The span, in milliseconds. Another span is another window, which starts empty.
        window_ms: u64,
    },
    /// Money: what calls cost, and what running calls may still cost.
    Budget {
        /// The policy's name, without a colon.
        name: String,
        /// Whose budget it is, the calendar period included, such as `user:42:2026-11`.
        subject: String,
        /// Most money of the period, in nanodollars.
        limit_nanousd: i64,
        /// When the period begins, in milliseconds since 1970.
        starts_at_ms: i64,
        /// When it ends.
        resets_at_ms: i64,
    },
    /// Calls that run at the same time.
    InFlight {
        /// The policy's name, without a colon.
        name: String,
        /// Whose calls.
        subject: String,
        /// Most running calls.
        limit: u64,
    },
}

impl Policy {
    /// The policy's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Window { name, .. } | Self::Budget { name, .. } | Self::InFlight { name, .. } => name,
        }
    }

    /// Whether it limits money.
    pub fn is_budget(&self) -> bool {
        matches!(self, Self::Budget { .. })
    }

    /// The limit, in calls or in nanodollars. Checked to fit before anything is taken.
    pub(super) fn limit(&self) -> i64 {
        match self {
            Self::Window { limit, .. } | Self::InFlight { limit, .. } => i64::try_from(*limit).unwrap_or(i64::MAX),
            Self::Budget { limit_nanousd, .. } => *limit_nanousd,
        }
    }

    /// What an ask takes, and so what must be free. A budget with nothing left admits nothing, not even what is
    /// free: hence at least one.
    pub(super) fn unit(&self, hold_nanousd: i64) -> i64 {
        match self {
            Self::Window { .. } | Self::InFlight { .. } => 1,
            Self::Budget { .. } => hold_nanousd.max(1),
        }
    }

    /// Where its entries are kept: the same name in every backend.
    pub(super) fn account(&self) -> String {
        match self {
            Self::Window { name, subject, window_ms, .. } => format!("window:{name}:{subject}:{window_ms}"),
            Self::Budget { name, subject, .. } => format!("budget:{name}:{subject}"),
            Self::InFlight { name, subject, .. } => format!("in_flight:{name}:{subject}"),
        }
    }
}

/// What a call asks for, all or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The call; asking twice takes once.
    pub call_id: &'a CallId,
    /// Who asks, unless nobody is signed in: checked before anything is taken.
    pub identity: Option<Identity<'a>>,
    /// All policies that the call must fit.
    pub policies: &'a [Policy],
    /// The most that the call can cost, held in every budget, in nanodollars.
    pub hold_nanousd: i64,
    /// How long a slot lives if nobody settles, in milliseconds: longer than any call.
    pub slot_ttl_ms: u64,
    /// How long a hold lives if nobody settles. At least as long as a slot: a hold whose slot is over is reported as
    /// [`Decision::Admitted::overdue`](super::Decision), so that the ledger can say what became of its call, and
    /// still keeps its money until that is known.
    pub hold_ttl_ms: u64,
}

impl Ask<'_> {
    pub(super) fn check(&self) -> Result<(), LimitError> {
        check_money(self.hold_nanousd)?;
        check_number(self.hold_ttl_ms)?;
        if self.slot_ttl_ms == 0 || self.slot_ttl_ms > self.hold_ttl_ms {
            return Err(LimitError::Invalid("a slot must live a while, and a hold as long as it"));
        }
        check_policies(self.policies)
    }
}

/// What every backend relies on: numbers that stay exact, and no account taken twice by one ask.
pub(super) fn check_policies(policies: &[Policy]) -> Result<(), LimitError> {
    for (i, policy) in policies.iter().enumerate() {
        if policy.name().contains(':') {
            return Err(LimitError::Invalid("a policy's name must not contain a colon"));
        }
        match policy {
            Policy::Window { limit, window_ms, .. } => {
                check_number(*limit)?;
                check_number(*window_ms)?;
                if *window_ms == 0 {
                    return Err(LimitError::Invalid("a window must have a length"));
                }
            }
            Policy::InFlight { limit, .. } => check_number(*limit)?,
            Policy::Budget { limit_nanousd, starts_at_ms, resets_at_ms, .. } => {
                check_money(*limit_nanousd)?;
                check_money(*starts_at_ms)?;
                check_money(*resets_at_ms)?;
            }
        }
        if policies[..i].iter().any(|earlier| earlier.account() == policy.account()) {
            return Err(LimitError::Invalid("the same policy twice for one subject"));
        }
    }
    Ok(())
}

/// For what only budgets have.
pub(super) fn check_budgets(policies: &[Policy]) -> Result<(), LimitError> {
    match policies.iter().all(Policy::is_budget) {
        true => check_policies(policies),
        false => Err(LimitError::Invalid("only budgets have accounts")),
    }
}

pub(super) fn check_money(number: i64) -> Result<(), LimitError> {
    if (0..=MAX_EXACT).contains(&number) {
        Ok(())
    } else {
        Err(LimitError::Invalid("amounts and times must lie between 0 and 2^53 - 1"))
    }
}

fn check_number(number: u64) -> Result<(), LimitError> {
    i64::try_from(number).map_or(Err(LimitError::Invalid("a number beyond 2^53 - 1")), check_money)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(limit_nanousd: i64) -> Policy {
        let (name, subject) = ("day".to_owned(), "user:1".to_owned());
        Policy::Budget { name, subject, limit_nanousd, starts_at_ms: 0, resets_at_ms: 1 }
    }

    fn window(name: &str, limit: u64, window_ms: u64) -> Policy {
        Policy::Window { name: name.to_owned(), subject: "user:1".to_owned(), limit, window_ms }
    }

    #[test]
    fn what_cannot_be_counted_exactly_is_refused() {
        let call_id = CallId::new();
        let ask = |policies: &[Policy], hold_nanousd, hold_ttl_ms| {
            Ask { call_id: &call_id, identity: None, policies, hold_nanousd, slot_ttl_ms: hold_ttl_ms, hold_ttl_ms }
                .check()
                .is_ok()
        };
        assert!(ask(&[budget(MAX_EXACT), window("a", 0, 1)], MAX_EXACT, 1));
        assert!(!ask(&[budget(MAX_EXACT + 1)], 1, 1));
        assert!(!ask(&[budget(-1)], 1, 1));
        assert!(!ask(&[budget(1)], -1, 1));
        assert!(!ask(&[budget(1)], 1, 0));
        assert!(!ask(&[window("a", u64::MAX, 1)], 1, 1));
        assert!(!ask(&[window("a", 1, 0)], 1, 1));
        assert!(!ask(&[window("a:b", 1, 1)], 1, 1));
    }

    #[test]
    fn no_account_is_taken_twice_by_one_ask() {
        assert!(check_policies(&[window("a", 1, 1), window("b", 1, 1), window("a", 1, 2)]).is_ok());
        assert!(check_policies(&[window("a", 1, 1), window("b", 1, 1), window("a", 2, 1)]).is_err());
    }
}
