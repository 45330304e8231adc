//! Why a call is refused, and what would be admitted: the body of a 429.

use serde_json::{Value, json};

use super::{admission::standings_json, policies::is_callers_own, price::PricedCall};
use crate::{
    Code, Error,
    auth::Caller,
    clock::rfc3339_utc,
    cost::format_usd,
    limit::{Policy, Standing},
};

/// A slot is freed whenever a call ends, long before it would expire.
const IN_FLIGHT_RETRY_S: u64 = 2;

/// What was decided against a call.
pub(super) struct Refusal<'a> {
    pub(super) caller: &'a Caller,
    pub(super) call: &'a PricedCall,
    pub(super) policies: &'a [Policy],
    pub(super) violated: &'a [String],
    pub(super) retry_after_ms: Option<u64>,
    pub(super) standings: &'a [Standing],
}

impl Refusal<'_> {
    /// The problem that says it.
    pub(super) fn error(&self) -> Error {
        let error = if self.broken().any(|(policy, _)| matches!(policy, Policy::Window { .. })) {
            self.window_is_full()
        } else if let Some(budget) = self.tightest_budget() {
            self.budget_is_short(&budget)
        } else {
            let detail = "As many calls are running as your plan allows at once. Wait for one to end.";
            with_retry(
                Error::new(Code::TooManyInFlight, detail),
                self.retry_after_s().map(|s| s.min(IN_FLIGHT_RETRY_S)),
            )
        };
        let error = error.member("violated-policies", self.violated).member("limits", standings_json(self.standings));
        match self.caller.plan.upgrade().map(|next| next.plan()) {
            Some(next) => error.member(
                "next_plan",
                json!({ "plan": next.id, "requests": next.requests, "window_s": next.window_s, "in_flight": next.in_flight }),
            ),
            None => error,
        }
    }

    fn broken(&self) -> impl Iterator<Item = (&Policy, &Standing)> {
        let all = self.policies.iter().zip(self.standings);
        all.filter(|(policy, _)| self.violated.iter().any(|name| name == policy.name()))
    }

    fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1_000).max(1))
    }

    fn window_is_full(&self) -> Error {
        let plan = self.caller.plan.plan();
        let retry_after_s = self.retry_after_s();
        let wait = retry_after_s.map_or_else(String::new, |s| format!(" The next one is free in {s} seconds."));
        let span = match plan.window_s {
            3_600 => "an hour".to_owned(),
            seconds => format!("{seconds} seconds"),
        };
        // Less than the plan's where an instance allows only its share.
        let limits = self.broken().filter_map(|(policy, _)| match policy {
            Policy::Window { limit, .. } => Some(*limit),
            Policy::Budget { .. } | Policy::InFlight { .. } => None,
        });
        let requests = limits.min().unwrap_or(plan.requests);
        let detail = format!("{requests} Claude requests in {span} are used up.{wait}");
        with_retry(Error::new(Code::LimitExceeded, detail), retry_after_s)
    }

    /// The one with the least left.
    fn tightest_budget(&self) -> Option<Shortage<'_>> {
        let budgets = self.broken().filter_map(|(policy, standing)| match policy {
            Policy::Budget { name, limit_nanousd, resets_at_ms, .. } => {
                let left_nanousd = i64::try_from(standing.remaining).unwrap_or(i64::MAX);
                Some(Shortage { name, limit_nanousd: *limit_nanousd, left_nanousd, renews_at_ms: *resets_at_ms })
            }
            Policy::Window { .. } | Policy::InFlight { .. } => None,
        });
        budgets.min_by_key(|budget| budget.left_nanousd)
    }

    fn budget_is_short(&self, budget: &Shortage<'_>) -> Error {
        let fits = self.call.max_tokens_within(budget.left_nanousd);
        let advice = match fits {
            Some(tokens) => format!(" With `max_tokens` of at most {tokens} it would fit."),
            None => String::new(),
        };
        let renews_at = rfc3339_utc(budget.renews_at_ms);
        let left = format_usd(budget.left_nanousd);
        let detail = format!(
            "This call could cost up to {} USD, and {} has {left} USD left until {renews_at}.{advice}",
            format_usd(self.call.ceiling_nanousd),
            budget.said(),
        );
        let mut told = json!({
            "policy": budget.name,
            "left_nanousd": budget.left_nanousd,
            "left_usd": left,
            "needed_nanousd": self.call.ceiling_nanousd,
            "renews_at": renews_at,
            "max_tokens_that_fit": fits,
        });
        if is_callers_own(budget.name) {
            told["limit_nanousd"] = Value::from(budget.limit_nanousd);
        }
        with_retry(Error::new(Code::BudgetExceeded, detail), self.retry_after_s()).member("budget", told)
    }
}

/// A budget without room.
struct Shortage<'a> {
    name: &'a str,
    limit_nanousd: i64,
    left_nanousd: i64,
    renews_at_ms: i64,
}

impl Shortage<'_> {
    fn said(&self) -> &'static str {
        match self.name {
            "user-day" => "your budget of this day",
            "user-month" => "your budget of this month",
            "plan-day" => "the budget of your plan for this day",
            "plan-month" => "the budget of your plan for this month",
            "deployment-day" => "the budget of this service for this day",
            _ => "the budget of this service for this month",
        }
    }
}

fn with_retry(error: Error, seconds: Option<u64>) -> Error {
    match seconds {
        Some(seconds) => error.retry_after_s(seconds),
        None => error,
    }
}
