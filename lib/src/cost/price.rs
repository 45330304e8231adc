//! What a call costs, and the most that it could.

use std::fmt;

use super::table::{ModelPrice, Rates, web_fetch_nanousd, web_search_nanousd};
use crate::usage::{Speed, Usage};

/// Why a usage cannot be priced. It is never priced lower instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostError {
    /// Fast mode was reported for a model that has no price for it.
    NoFastPrice,
    /// The figures are beyond what money can be.
    Overflow,
}

impl fmt::Display for CostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoFastPrice => "the model has no price for fast mode",
            Self::Overflow => "the cost is too large",
        })
    }
}

impl std::error::Error for CostError {}

/// What a request could use at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InputBound {
    /// Prompt tokens, bounded from above.
    pub input_tokens: u64,
    /// Web searches, at most.
    pub web_searches: u64,
    /// The request asks for fast mode.
    pub fast: bool,
    /// Inference could run in `us`.
    pub geo_us: bool,
}

/// The cost of a call, from its usage, rounded up once.
///
/// # Errors
/// [`CostError`] where the usage has no price.
pub fn cost_nanousd(model: &ModelPrice, usage: &Usage) -> Result<i64, CostError> {
    let rates = match usage.speed {
        // Fast mode is flat over the context: no long-prompt step.
        Speed::Fast => model.fast.as_ref().ok_or(CostError::NoFastPrice)?,
        Speed::Standard => match &model.long {
            Some(long) if usage.prompt_tokens() > long.prompt_tokens_above => &long.rates,
            _ => &model.standard,
        },
    };
    let geo_us = usage.inference_geo.as_deref() == Some("us");
    let tokens_pico = [
        (usage.input_tokens, rates.input),
        (usage.cache_write_5m_tokens, rates.cache_write_5m),
        (usage.cache_write_1h_tokens, rates.cache_write_1h),
        (usage.cache_read_tokens, rates.cache_read),
        (usage.output_tokens, rates.output),
    ];
    total_nanousd(model, &tokens_pico, geo_us, usage.web_search_requests, usage.web_fetch_requests)
}

/// The most that a call could cost: every prompt token at its dearest class and step, every output token, every
/// search. No usage within the bounds costs more.
///
/// # Errors
/// [`CostError`] where the request asks for something without a price.
pub fn ceiling_nanousd(model: &ModelPrice, bound: &InputBound, max_tokens: u64) -> Result<i64, CostError> {
    let mut candidates = vec![&model.standard];
    if let Some(long) = model.long.as_ref().filter(|long| bound.input_tokens > long.prompt_tokens_above) {
        candidates.push(&long.rates);
    }
    if bound.fast {
        candidates.push(model.fast.as_ref().ok_or(CostError::NoFastPrice)?);
    }
    let mut ceiling = 0;
    for rates in candidates {
        let tokens_pico = [(bound.input_tokens, dearest_input(rates)), (max_tokens, rates.output)];
        ceiling = ceiling.max(total_nanousd(model, &tokens_pico, bound.geo_us, bound.web_searches, 0)?);
    }
    Ok(ceiling)
}

fn dearest_input(rates: &Rates) -> i64 {
    rates.input.max(rates.cache_write_5m).max(rates.cache_write_1h).max(rates.cache_read)
}

fn total_nanousd(
    model: &ModelPrice,
    tokens_pico: &[(u64, i64)],
    geo_us: bool,
    searches: u64,
    fetches: u64,
) -> Result<i64, CostError> {
    let permille = if geo_us { model.geo_us_permille } else { 1_000 };
    let mut femto: i128 = 0;
    for (tokens, pico) in tokens_pico {
        let product = i128::from(*tokens).checked_mul(i128::from(*pico)).ok_or(CostError::Overflow)?;
        femto = femto.checked_add(product).ok_or(CostError::Overflow)?;
    }
    femto = femto.checked_mul(i128::from(permille)).ok_or(CostError::Overflow)?;
    // Thousandths of a picodollar: a million of them is a nanodollar.
    let tokens = femto.checked_add(999_999).ok_or(CostError::Overflow)? / 1_000_000;
    let tools =
        i128::from(searches) * i128::from(web_search_nanousd()) + i128::from(fetches) * i128::from(web_fetch_nanousd());
    i64::try_from(tokens.checked_add(tools).ok_or(CostError::Overflow)?).map_err(|_| CostError::Overflow)
}

/// An amount as decimal USD, exact, with at least two places: 1,234,500 nanodollars are `0.0012345`.
pub fn format_usd(nanousd: i64) -> String {
    let sign = if nanousd < 0 { "-" } else { "" };
    let amount = nanousd.unsigned_abs();
    let fraction = format!("{:09}", amount % 1_000_000_000);
    let places = fraction.trim_end_matches('0').len().max(2);
    format!("{sign}{}.{}", amount / 1_000_000_000, &fraction[..places])
}

/// Decimal USD as nanodollars, exact: at most nine places, no sign, no exponent. None where it is something else.
pub fn parse_usd(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<9}");
    let is_amount = !whole.is_empty() && fraction.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_amount)
}

#[cfg(test)]
#[path = "price_tests.rs"]
mod tests;
