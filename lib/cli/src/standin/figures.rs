//! Usage: what a call costs at its start, and how the wire writes it.

use purser::usage::{Speed, Usage};
use serde_json::{Value, json};

use super::{directive::Cost, prompt_cache::Split, request::Ask};

/// What the prompt costs before anything is answered.
pub(crate) fn at_start(split: Split, cost: &Cost, ask: &Ask) -> Usage {
    let given = |name: &str| ask.body[name].as_str().map(str::to_owned);
    let speed = cost.speed.clone().or_else(|| given("speed"));
    Usage {
        input_tokens: cost.input.unwrap_or(split.uncached),
        cache_write_5m_tokens: cost.cache_write_5m.unwrap_or(split.write_5m),
        cache_write_1h_tokens: cost.cache_write_1h.unwrap_or(split.write_1h),
        cache_read_tokens: cost.cache_read.unwrap_or(split.read),
        speed: if speed.as_deref() == Some("fast") { Speed::Fast } else { Speed::Standard },
        inference_geo: Some(cost.geo.clone().or_else(|| given("inference_geo")).unwrap_or_else(|| "global".to_owned())),
        service_tier: Some(cost.tier.clone().unwrap_or_else(|| "standard".to_owned())),
        ..Usage::default()
    }
}

fn searches(usage: &Usage) -> Value {
    match (usage.web_search_requests, usage.web_fetch_requests) {
        (0, 0) => Value::Null,
        (search, fetch) => json!({ "web_search_requests": search, "web_fetch_requests": fetch }),
    }
}

/// The whole usage object, of `message_start` and of an answer in one piece.
pub(crate) fn full(usage: &Usage, output_tokens: u64, thinking_tokens: Option<u64>) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": output_tokens,
        "output_tokens_details": thinking_tokens.map(|tokens| json!({ "thinking_tokens": tokens })),
        "server_tool_use": searches(usage),
        "service_tier": usage.service_tier,
        "speed": match usage.speed { Speed::Standard => "standard", Speed::Fast => "fast" },
        "inference_geo": usage.inference_geo,
    })
}

/// The cumulative usage of `message_delta`: no split of cache writes, no tier, speed or place.
pub(crate) fn cumulative(usage: &Usage, thinking_tokens: Option<u64>) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": thinking_tokens.map(|tokens| json!({ "thinking_tokens": tokens })),
        "server_tool_use": searches(usage),
    })
}
