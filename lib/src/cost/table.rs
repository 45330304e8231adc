//! The price table, made from `lib/prices.toml` when the crate is built.

include!(concat!(env!("OUT_DIR"), "/prices.rs"));

/// Picodollars (10^-12 USD) a token: every price in use, halved or multiplied by 1.1, is exact in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Prompt tokens outside the cache.
    pub input: i64,
    /// Output tokens.
    pub output: i64,
    /// Prompt tokens written to the cache for five minutes.
    pub cache_write_5m: i64,
    /// Prompt tokens written to the cache for an hour.
    pub cache_write_1h: i64,
    /// Prompt tokens read from the cache.
    pub cache_read: i64,
}

/// Prices of the whole call above a prompt length.
#[derive(Debug)]
pub struct LongStep {
    /// The step counts input, cache writes and cache reads.
    pub prompt_tokens_above: u64,
    /// The prices there.
    pub rates: Rates,
}

/// Where a model is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// In service.
    Active,
    /// In service until its last day.
    Deprecated,
    /// Out of service; priced for old records.
    Retired,
}

/// One model.
#[derive(Debug)]
pub struct ModelPrice {
    /// Its full id.
    pub id: &'static str,
    /// Other names of the same model.
    pub aliases: &'static [&'static str],
    /// Where it is in its life.
    pub status: Status,
    /// Its last day (UTC), where one is fixed.
    pub retires_on: Option<&'static str>,
    /// Not open to everybody.
    pub is_limited: bool,
    /// Its thinking cannot be switched off, and need not be seen.
    pub always_thinks: bool,
    /// Prompt and output together.
    pub context_tokens: Option<u64>,
    /// Most output tokens of a call.
    pub output_tokens_max: Option<u64>,
    /// Prompts shorter than this are never cached.
    pub cacheable_tokens_min: Option<u64>,
    /// Standard speed.
    pub standard: Rates,
    /// Fast mode, where the model has one.
    pub fast: Option<Rates>,
    /// Prices of long prompts, where they differ.
    pub long: Option<LongStep>,
    /// Multiplies all token prices when inference ran in `us`: thousandths.
    pub geo_us_permille: i64,
}

impl ModelPrice {
    /// Whether Claude's API serves the model on a UTC day, `YYYY-MM-DD`.
    pub fn is_offered_on(&self, day: &str) -> bool {
        self.status != Status::Retired && self.retires_on.is_none_or(|last| day <= last)
    }
}

/// All models.
pub fn models() -> &'static [ModelPrice] {
    MODELS
}

/// Nanodollars of one successful web search.
pub(super) fn web_search_nanousd() -> i64 {
    WEB_SEARCH_NANOUSD
}

/// Nanodollars of one web fetch.
pub(super) fn web_fetch_nanousd() -> i64 {
    WEB_FETCH_NANOUSD
}

/// The model of an id, an alias, or either with a `-YYYYMMDD` behind it. Never by prefix: `claude-opus-5` is not
/// `claude-opus-5-5`.
pub fn find(name: &str) -> Option<&'static ModelPrice> {
    let exact = |name: &str| MODELS.iter().find(|model| model.id == name || model.aliases.contains(&name));
    exact(name).or_else(|| {
        let (stem, date) = name.rsplit_once('-')?;
        let dated = date.len() == 8 && date.starts_with("20") && date.bytes().all(|b| b.is_ascii_digit());
        if dated { exact(stem) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_by_id_alias_or_date_and_never_by_prefix() {
        let id = |name| find(name).map(|model| model.id);
        assert_eq!(id("claude-opus-5"), Some("claude-opus-5"));
        assert_eq!(id("claude-opus-5-5"), Some("claude-opus-5-5"));
        assert_eq!(id("claude-opus-5-20260701"), Some("claude-opus-5"));
        assert_eq!(id("claude-haiku-4-5"), Some("claude-haiku-4-5-20251001"));
        for unknown in ["claude-opus-5-6", "claude-opus-5-99999999", "claude", "", "gpt-5", "claude-opus-5-2026070"] {
            assert_eq!(id(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_model_is_not_offered_after_its_last_day() {
        let sonnet = find("claude-sonnet-4-5").unwrap();
        assert!(sonnet.is_offered_on("2026-11-30"));
        assert!(!sonnet.is_offered_on("2026-12-01"));
        assert!(!find("claude-3-opus-latest").unwrap().is_offered_on("2024-03-01"));
    }
}
