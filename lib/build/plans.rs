//! Checks `plans.toml` against the prices and writes it as constants.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::prices::Prices;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plans {
    auth: Auth,
    count_tokens: CountTokens,
    plan: BTreeMap<String, Plan>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    attempts: u64,
    window_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountTokens {
    requests: u64,
    window_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    requests: u64,
    window_s: u64,
    in_flight: u64,
    models: Vec<String>,
    default_model: String,
    max_tokens: u64,
    default_max_tokens: u64,
    input_tokens_max: u64,
    hang_up: String,
    hold_output_tokens: Option<u64>,
    budget_day_usd: Option<String>,
    budget_month_usd: Option<String>,
    plan_budget_day_usd: Option<String>,
    plan_budget_month_usd: Option<String>,
    #[serde(default)]
    past_due_grace_days: i64,
}

impl Plan {
    fn budgets(&self) -> [&Option<String>; 4] {
        [&self.budget_day_usd, &self.budget_month_usd, &self.plan_budget_day_usd, &self.plan_budget_month_usd]
    }
}

const PLANS: [(&str, &str); 3] = [("anonymous", "Anonymous"), ("free", "Free"), ("pro", "Pro")];

/// Reads and checks the file.
pub(crate) fn parse(text: &str, prices: &Prices) -> Result<Plans, String> {
    let plans: Plans = toml::from_str(text).map_err(|error| format!("plans.toml: {error}"))?;
    if plans.auth.window_s == 0 {
        return Err("plans.toml: auth has no window".to_owned());
    }
    if plans.count_tokens.window_s == 0 {
        return Err("plans.toml: count_tokens has no window".to_owned());
    }
    for (name, _) in PLANS {
        let plan = plans.plan.get(name).ok_or_else(|| format!("plans.toml: plan {name} is missing"))?;
        check(plan, prices).map_err(|fault| format!("plans.toml: plan {name}: {fault}"))?;
    }
    match plans.plan.keys().find(|name| PLANS.iter().all(|(known, _)| known != name)) {
        Some(unknown) => Err(format!("plans.toml: plan {unknown} is not known")),
        None => Ok(plans),
    }
}

fn check(plan: &Plan, prices: &Prices) -> Result<(), String> {
    if plan.window_s == 0 {
        return Err("a window of no length".to_owned());
    }
    if !["finish", "stop"].contains(&plan.hang_up.as_str()) {
        return Err("hang_up must be finish or stop".to_owned());
    }
    if !plan.models.contains(&plan.default_model) {
        return Err(format!("the default model {} is not among its models", plan.default_model));
    }
    if plan.default_max_tokens > plan.max_tokens {
        return Err("default_max_tokens is above max_tokens".to_owned());
    }
    if !(0..=366).contains(&plan.past_due_grace_days) {
        return Err("past_due_grace_days must be 0 to 366".to_owned());
    }
    for name in &plan.models {
        let model = prices.model.iter().find(|model| model.id == *name);
        let model = model.ok_or_else(|| format!("model {name} has no price (write its full id)"))?;
        if model.status != "active" {
            return Err(format!("model {name} is {}", model.status));
        }
        if model.output_tokens_max.is_none_or(|most| most < plan.default_max_tokens) {
            return Err(format!("model {name} cannot answer with default_max_tokens"));
        }
    }
    if plan.hold_output_tokens.is_some_and(|tokens| tokens < 2_048) {
        return Err("hold_output_tokens below 2048 would be reached before more can be had".to_owned());
    }
    plan.budgets().into_iter().try_for_each(|budget| nanousd(budget.as_deref()).map(drop))
}

/// USD as decimal text in nanodollars.
fn nanousd(text: Option<&str>) -> Result<Option<i64>, String> {
    let Some(text) = text else { return Ok(None) };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<9}");
    let fits = !whole.is_empty() && fraction.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().map(Some).ok().filter(|_| fits).ok_or_else(|| format!("{text:?} is not an amount in USD"))
}

/// The plans as Rust.
pub(crate) fn generate(plans: &Plans) -> String {
    let rows = PLANS.iter().filter_map(|(name, variant)| {
        let plan = plans.plan.get(*name)?;
        let mut budgets = plan.budgets().into_iter().map(|budget| nanousd(budget.as_deref()).ok().flatten());
        let hang_up = if plan.hang_up == "stop" { "Stop" } else { "Finish" };
        Some(format!(
            "Plan {{ id: PlanId::{variant}, requests: {}, window_s: {}, in_flight: {}, models: &{:?}, default_model: {:?}, \
             max_tokens: {}, default_max_tokens: {}, input_tokens_max: {}, hang_up: HangUp::{hang_up}, hold_output_tokens: {:?}, \
             budget: Budget {{ day_nanousd: {:?}, month_nanousd: {:?} }}, \
             plan_budget: Budget {{ day_nanousd: {:?}, month_nanousd: {:?} }}, past_due_grace_days: {} }},\n",
            plan.requests,
            plan.window_s,
            plan.in_flight,
            plan.models,
            plan.default_model,
            plan.max_tokens,
            plan.default_max_tokens,
            plan.input_tokens_max,
            plan.hold_output_tokens,
            budgets.next()?,
            budgets.next()?,
            budgets.next()?,
            budgets.next()?,
            plan.past_due_grace_days,
        ))
    });
    format!(
        "static PLANS: [Plan; 3] = [\n{}];\n\
         /// Attempts to sign up or in, by network and by account separately.\n\
         pub const AUTH_ATTEMPTS: u64 = {};\n\
         /// The window of [`AUTH_ATTEMPTS`], in seconds.\n\
         pub const AUTH_WINDOW_S: u64 = {};\n\
         /// Requests to count tokens, by caller.\n\
         pub const COUNT_TOKENS_REQUESTS: u64 = {};\n\
         /// The window of [`COUNT_TOKENS_REQUESTS`], in seconds.\n\
         pub const COUNT_TOKENS_WINDOW_S: u64 = {};\n",
        rows.collect::<String>(),
        plans.auth.attempts,
        plans.auth.window_s,
        plans.count_tokens.requests,
        plans.count_tokens.window_s,
    )
}
