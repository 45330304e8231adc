//! May this call be made, and what could it cost? One limiter round trip decides.

use serde_json::json;

use super::Ctx;
use crate::{
    Code, Error,
    auth::{Caller, Kind},
    chat::limits_json,
    clock,
    config::plans::Plan,
    cost::{self, InputBound, ModelPrice, format_usd},
    http::{HeaderName, HeaderValue},
    ids::CallId,
    limit::{Ask, Decision, LimitError, Policy, Standing},
    sabotage::Protection,
};

/// The longest that a call may run: the platform's `maxDuration` in vercel.json is 300 s.
pub const CALL_MAX_MS: u64 = 285_000;
/// Holds outlive the longest call, so that none is given away while its call runs.
const HOLD_TTL_MS: u64 = CALL_MAX_MS + 75_000;
/// A slot is freed whenever a call ends, long before its hold would expire.
const IN_FLIGHT_RETRY_S: u64 = 2;

/// A call whose model and price are known.
#[derive(Clone, Debug)]
pub struct PricedCall {
    /// The model whose price holds.
    pub model: &'static ModelPrice,
    /// The model as asked for.
    pub model_requested: String,
    /// Most output tokens.
    pub max_tokens: u64,
    /// The most that the call can cost.
    pub ceiling_nanousd: i64,
}

/// What a caller asks for.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The model; `None` is the plan's own.
    pub model: Option<&'a str>,
    /// Most output tokens; `None` is the plan's own number.
    pub max_tokens: Option<u64>,
    /// The prompt and what else costs.
    pub bound: InputBound,
}

/// A call that has been admitted: what it holds, and in which policies.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The call.
    pub call_id: CallId,
    /// The policies that it was taken in.
    pub policies: Vec<Policy>,
    /// How they stand after it.
    pub standings: Vec<Standing>,
    /// When it was taken, by this machine's clock: the day of the call.
    pub taken_ms: i64,
}

impl Hold {
    /// The limits as clients see them.
    pub fn limits(&self) -> serde_json::Value {
        standings_json(&self.standings)
    }

    /// What was held, as the ledger keeps it: enough to free it without this process.
    pub fn record(&self) -> String {
        let policies = self.policies.iter().map(|policy| match policy {
            Policy::Window { name, subject, limit, window_ms } => {
                json!({ "kind": "window", "name": name, "subject": subject, "limit": limit, "window_ms": window_ms })
            }
            Policy::Budget { name, subject, limit_nanousd, resets_at_ms } => {
                json!({ "kind": "budget", "name": name, "subject": subject, "limit_nanousd": limit_nanousd, "resets_at_ms": resets_at_ms })
            }
            Policy::InFlight { name, subject, limit } => {
                json!({ "kind": "in_flight", "name": name, "subject": subject, "limit": limit })
            }
        });
        serde_json::Value::from_iter(policies).to_string()
    }
}

/// The shape of limits everywhere.
pub fn standings_json(standings: &[Standing]) -> serde_json::Value {
    limits_json(standings.iter().map(|one| (one.policy.as_str(), one.limit, one.remaining, one.reset_ms)))
}

impl Ctx {
    /// Checks model and `max_tokens` against plan and prices, and works out the ceiling. No I/O.
    ///
    /// # Errors
    /// `model_unknown`, `model_not_allowed`, `max_tokens_too_large`, `feature_not_priced`.
    pub fn price_call(&self, caller: &Caller, wish: &Wish<'_>) -> Result<PricedCall, Error> {
        let plan = caller.plan.plan();
        let model_requested = wish.model.unwrap_or(plan.default_model);
        let model = cost::find(model_requested)
            .filter(|model| model.is_offered_on(&clock::day_utc(clock::now_ms())))
            .ok_or_else(|| {
            Error::new(
                Code::ModelUnknown,
                "No model of this name is offered. Your plan includes those listed in `models`.",
            )
            .member("models", plan.models)
        })?;
        self.check_allowed(model, plan)?;
        let most = plan.max_tokens.min(model.output_tokens_max.unwrap_or(plan.max_tokens));
        let max_tokens = wish.max_tokens.unwrap_or(plan.default_max_tokens);
        if max_tokens > most {
            let detail = format!("`max_tokens` may be at most {most} with your plan and this model.");
            return Err(Error::new(Code::MaxTokensTooLarge, detail).pointer("/max_tokens").member("max_tokens", most));
        }
        if wish.bound.fast && model.fast.is_none() {
            return Err(Error::new(Code::FeatureNotPriced, "This model has no fast mode.").pointer("/speed"));
        }
        let ceiling_nanousd = cost::ceiling_nanousd(model, &wish.bound, max_tokens).map_err(|error| {
            Error::new(Code::FeatureNotPriced, "What this request could cost cannot be told.").log(error)
        })?;
        Ok(PricedCall { model, model_requested: model_requested.to_owned(), max_tokens, ceiling_nanousd })
    }

    fn check_allowed(&self, model: &ModelPrice, plan: &Plan) -> Result<(), Error> {
        let listed = |name: &String| cost::find(name).is_some_and(|found| found.id == model.id);
        let by_deployment = self.config().claude.models.as_ref().is_none_or(|models| models.iter().any(listed));
        if by_deployment && plan.models.contains(&model.id) {
            return Ok(());
        }
        Err(Error::new(
            Code::ModelNotAllowed,
            "Your plan does not include this model. It includes those listed in `models`.",
        )
        .member("models", plan.models))
    }

    /// Takes the call in every policy, or in none: one round trip.
    ///
    /// # Errors
    /// `limit_exceeded`, `too_many_in_flight`, `budget_exceeded` with what is left and when more will be;
    /// `limiter_unavailable`.
    pub async fn reserve(&self, caller: &Caller, call: &PricedCall) -> Result<Hold, Error> {
        let call_id = CallId::new();
        let policies = policies(caller);
        let ask = Ask {
            call_id: &call_id,
            policies: &policies,
            hold_nanousd: if Protection::Hold.is_off() { 0 } else { call.ceiling_nanousd },
            hold_ttl_ms: HOLD_TTL_MS,
        };
        let decision = self.time("limit", self.limiter()?.reserve(&ask)).await.map_err(unavailable)?;
        self.add_limit_headers(&policies, decision.standings());
        match decision {
            Decision::Admitted { standings } => {
                self.note("call_id", call_id.as_str());
                self.note("model", call.model.id);
                Ok(Hold { call_id, policies, standings, taken_ms: clock::now_ms() })
            }
            Decision::Refused { violated, retry_after_ms, standings } => {
                Err(refusal(caller, &policies, &violated, retry_after_ms, &standings))
            }
        }
    }

    /// How the caller's policies stand; reading spends nothing.
    ///
    /// # Errors
    /// `limiter_unavailable`.
    pub async fn standings(&self, caller: &Caller) -> Result<Vec<Standing>, Error> {
        let policies = policies(caller);
        self.time("limit", self.limiter()?.peek(&policies)).await.map_err(unavailable)
    }

    /// Gives back what a call took that delivered nothing.
    pub(super) async fn release(&self, hold: &Hold) {
        let released = match self.limiter() {
            Ok(limiter) => limiter.release(&hold.call_id, &hold.policies).await.map_err(unavailable),
            Err(error) => Err(error),
        };
        if let Err(error) = released {
            // The hold expires by itself.
            self.warn("release_failed", &error);
        }
    }

    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, 2025-09-27).
    fn add_limit_headers(&self, policies: &[Policy], standings: &[Standing]) {
        let quota = policies.iter().filter_map(|policy| match policy {
            Policy::Window { name, limit, window_ms, .. } => {
                Some(format!("\"{name}\";q={limit};w={}", window_ms / 1_000))
            }
            Policy::InFlight { name, limit, .. } => Some(format!("\"{name}\";q={limit};qu=\"concurrent-requests\"")),
            Policy::Budget { .. } => None,
        });
        let is_budget =
            |name: &str| policies.iter().any(|p| matches!(p, Policy::Budget { name: one, .. } if one == name));
        let left = standings.iter().filter(|standing| !is_budget(&standing.policy)).map(|standing| {
            let reset = standing.reset_ms.map_or_else(String::new, |ms| format!(";t={}", ms.div_ceil(1_000)));
            format!("\"{}\";r={}{reset}", standing.policy, standing.remaining)
        });
        for (name, value) in [
            ("ratelimit-policy", quota.collect::<Vec<_>>().join(", ")),
            ("ratelimit", left.collect::<Vec<_>>().join(", ")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                self.add_header(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Every policy of a caller.
fn policies(caller: &Caller) -> Vec<Policy> {
    let plan = caller.plan.plan();
    let window = |name: &str, subject: &str| Policy::Window {
        name: name.to_owned(),
        subject: subject.to_owned(),
        limit: plan.requests,
        window_ms: plan.window_s * 1_000,
    };
    let in_flight = |subject: &str| Policy::InFlight {
        name: "in-flight".to_owned(),
        subject: subject.to_owned(),
        limit: plan.in_flight,
    };
    match &caller.kind {
        Kind::User => {
            vec![window(&format!("{}-requests", plan.id.as_str()), caller.id.as_str()), in_flight(caller.id.as_str())]
        }
        // A new browser starts with a full window of its own, so the network's is the tighter one then.
        Kind::Anonymous { network, .. } => vec![
            window("anonymous-network", network),
            window("anonymous-browser", caller.id.as_str()),
            in_flight(network),
        ],
    }
}

fn unavailable(error: LimitError) -> Error {
    match error {
        LimitError::Invalid(_) => Error::internal(error),
        error => Error::new(
            Code::LimiterUnavailable,
            "The limiter does not answer at the moment; nothing was started. Try again.",
        )
        .retry_after_s(2)
        .log(error),
    }
}

fn refusal(
    caller: &Caller,
    policies: &[Policy],
    violated: &[String],
    retry_after_ms: Option<u64>,
    standings: &[Standing],
) -> Error {
    let broken = || policies.iter().filter(|policy| violated.iter().any(|name| name == policy.name()));
    let retry_after_s = retry_after_ms.map(|ms| ms.div_ceil(1_000).max(1));
    let error = if broken().any(|policy| matches!(policy, Policy::Window { .. })) {
        let plan = caller.plan.plan();
        let wait = retry_after_s.map_or_else(String::new, |s| format!(" The next one is free in {s} seconds."));
        let span = match plan.window_s {
            3_600 => "an hour".to_owned(),
            seconds => format!("{seconds} seconds"),
        };
        let detail = format!("{} Claude requests in {span} are used up.{wait}", plan.requests);
        with_retry(Error::new(Code::LimitExceeded, detail), retry_after_s)
    } else if let Some(Policy::Budget { limit_nanousd, .. }) =
        broken().find(|policy| matches!(policy, Policy::Budget { .. }))
    {
        let detail =
            format!("The budget of {} USD has no room for what this call could cost.", format_usd(*limit_nanousd));
        with_retry(Error::new(Code::BudgetExceeded, detail), retry_after_s)
    } else {
        let detail = "As many calls are running as your plan allows at once. Wait for one to end.";
        let wait = retry_after_s.map(|s| s.min(IN_FLIGHT_RETRY_S));
        with_retry(Error::new(Code::TooManyInFlight, detail), wait)
    };
    let error = error.member("violated-policies", violated).member("limits", standings_json(standings));
    match caller.plan.upgrade().map(|next| next.plan()) {
        Some(next) => error.member(
            "next_plan",
            json!({ "plan": next.id, "requests": next.requests, "window_s": next.window_s, "in_flight": next.in_flight }),
        ),
        None => error,
    }
}

fn with_retry(error: Error, seconds: Option<u64>) -> Error {
    match seconds {
        Some(seconds) => error.retry_after_s(seconds),
        None => error,
    }
}
