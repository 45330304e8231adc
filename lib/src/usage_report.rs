//! What a caller used, as JSON: out of the ledger, in the names that are used everywhere.

use serde_json::{Value, json};

use crate::{
    chat::usage_json,
    clock,
    cost::format_usd,
    store::{DayUsage, UsageSum},
};

const DAY_MS: i64 = 86_400_000;

/// The sum over all days and models.
pub fn total(days: &[DayUsage]) -> UsageSum {
    days.iter().fold(UsageSum::default(), |sum, day| sum.plus(&day.sum))
}

/// `{"calls","usage","cost_nanousd","cost_usd"}`.
pub fn sum_json(sum: &UsageSum) -> Value {
    json!({
        "calls": sum.calls,
        "usage": usage_json(&sum.usage),
        "cost_nanousd": sum.cost_nanousd,
        "cost_usd": format_usd(sum.cost_nanousd),
    })
}

/// One entry a day and model, newest day first: a sum with `day` and `model`.
pub fn days_json(days: &[DayUsage]) -> Value {
    days.iter()
        .map(|day| {
            let mut entry = sum_json(&day.sum);
            entry["day"] = json!(clock::day_utc(day.day.saturating_mul(DAY_MS)));
            entry["model"] = json!(day.model);
            entry
        })
        .collect()
}
