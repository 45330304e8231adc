//! What a call used: disjoint token classes, as Claude's own usage object reports them.

use serde::{Deserialize, Serialize};

/// A picture costs at most this, however few bytes describe it: larger ones are scaled down
/// (platform.claude.com, "Vision", copy of August 2026: 4,784 for the newest models, and some room).
pub const IMAGE_TOKENS_MAX: u64 = 6_000;

/// Tokens and server tools of one call. The token classes are disjoint: a token counts in exactly one.
///
/// Source: Messages API `usage` (`@anthropic-ai/sdk` 1.12.0, 2026-11-20).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens neither read from nor written to the prompt cache.
    pub input_tokens: u64,
    /// Prompt tokens written to the cache for five minutes.
    pub cache_write_5m_tokens: u64,
    /// Prompt tokens written to the cache for an hour.
    pub cache_write_1h_tokens: u64,
    /// Prompt tokens read from the cache.
    pub cache_read_tokens: u64,
    /// Every billed output token, thinking included.
    pub output_tokens: u64,
    /// Web searches that succeeded.
    pub web_search_requests: u64,
    /// Web fetches (free today, counted all the same).
    pub web_fetch_requests: u64,
    /// The speed that served (`fast` costs more), which can differ from the one asked for.
    pub speed: Speed,
    /// Where inference ran, as reported (`us` costs more on some models).
    pub inference_geo: Option<String>,
    /// The service tier that served, as reported.
    pub service_tier: Option<String>,
}

/// Serving speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    /// Standard, also when nothing is reported.
    #[default]
    Standard,
    /// Fast mode.
    Fast,
}

impl Usage {
    /// All prompt tokens: what a long-prompt price step is compared with.
    pub fn prompt_tokens(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_write_5m_tokens)
            .saturating_add(self.cache_write_1h_tokens)
            .saturating_add(self.cache_read_tokens)
    }
}

/// Where the figures of a settled call come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Claude's own final usage.
    Provider,
    /// Input as reported, output counted here, because the final usage never came.
    Counted,
    /// Nothing is known: the whole hold.
    Ceiling,
    /// Answered without a call to Claude.
    Cache,
}

impl Source {
    /// As written in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Counted => "counted",
            Self::Ceiling => "ceiling",
            Self::Cache => "cache",
        }
    }
}
