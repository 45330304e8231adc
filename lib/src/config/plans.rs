//! Plans: what a caller may do. The figures are in `lib/plans.toml`, checked when the crate is built.

use serde::{Deserialize, Serialize};

include!(concat!(env!("OUT_DIR"), "/plans.rs"));

/// A plan's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanId {
    /// Nobody has signed in.
    Anonymous,
    /// An account that pays nothing.
    Free,
    /// A subscriber.
    Pro,
}

/// What becomes of a call whose client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// Read on to the end: exact usage, and the answer is kept.
    Finish,
    /// Close the connection to Claude and charge what was counted.
    Stop,
}

/// A plan's figures.
#[derive(Debug)]
pub struct Plan {
    /// Its name.
    pub id: PlanId,
    /// Claude requests in a window.
    pub requests: u64,
    /// The window's length in seconds.
    pub window_s: u64,
    /// Calls that may run at once.
    pub in_flight: u64,
    /// Full ids of the models it includes.
    pub models: &'static [&'static str],
    /// The model where the caller names none.
    pub default_model: &'static str,
    /// Most output tokens of a call.
    pub max_tokens: u64,
    /// Output tokens where the caller names no number.
    pub default_max_tokens: u64,
    /// Most prompt tokens of a call.
    pub input_tokens_max: u64,
    hang_up: HangUp,
    /// Output tokens that a call holds money for at first; more is taken while it runs. `None` holds for all of them.
    pub hold_output_tokens: Option<u64>,
    /// Most money of one caller.
    pub budget: Budget,
    /// Most money of all callers of the plan together.
    pub plan_budget: Budget,
    /// How long a subscription whose payment failed keeps the plan, in days from its oldest open invoice; zero is not
    /// at all.
    pub past_due_grace_days: i64,
}

/// Most money of a calendar period (UTC), in nanodollars. `None` is no budget, zero is none to spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// A day.
    pub day_nanousd: Option<i64>,
    /// A month.
    pub month_nanousd: Option<i64>,
}

impl Plan {
    /// What becomes of a call whose client leaves.
    pub fn hang_up(&self) -> HangUp {
        #[cfg(debug_assertions)]
        match crate::env::get(&crate::env::PURSER_HANG_UP).as_deref() {
            Some("stop") => return HangUp::Stop,
            Some("finish") => return HangUp::Finish,
            _ => {}
        }
        self.hang_up
    }
}

impl PlanId {
    /// Reads a plan's name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Anonymous, Self::Free, Self::Pro].into_iter().find(|plan| plan.as_str() == text)
    }

    /// The name as written in tokens, SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Free => "free",
            Self::Pro => "pro",
        }
    }

    /// The plan's figures.
    pub fn plan(self) -> &'static Plan {
        let [anonymous, free, pro] = &PLANS;
        match self {
            Self::Anonymous => anonymous,
            Self::Free => free,
            Self::Pro => pro,
        }
    }

    /// The next plan up, if there is one.
    pub fn upgrade(self) -> Option<Self> {
        match self {
            Self::Anonymous => Some(Self::Free),
            Self::Free => Some(Self::Pro),
            Self::Pro => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_windows_are_the_promised_ones() {
        let hourly = |plan: PlanId| (plan.plan().requests, plan.plan().window_s);
        assert_eq!(hourly(PlanId::Anonymous), (5, 3_600));
        assert_eq!(hourly(PlanId::Free), (10, 3_600));
        assert_eq!(hourly(PlanId::Pro), (100, 3_600));
        assert_eq!((AUTH_ATTEMPTS, AUTH_WINDOW_S), (5, 900));
    }
}
