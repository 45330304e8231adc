//! What a caller gets besides the stream: the JSON answer, and the shapes of usage and limits.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{limit::Standing, usage::Usage};

/// `Accept: application/json`.
#[derive(Clone, Debug, Serialize)]
pub struct ChatReply<'a> {
    /// The conversation.
    pub conversation_id: &'a str,
    /// The answer.
    pub message: ReplyMessage<'a>,
    /// The figures.
    #[serde(flatten)]
    pub finish: Finish,
    /// Why the answer ended.
    pub stop_reason: Option<&'a str>,
}

/// The answer as a message.
#[derive(Clone, Debug, Serialize)]
pub struct ReplyMessage<'a> {
    /// Its id.
    pub id: &'a str,
    /// Always `assistant`.
    pub role: &'static str,
    /// Its text.
    pub text: String,
    /// Its content blocks.
    pub content: &'a [Value],
}

/// The figures of a call, at its end.
#[derive(Clone, Debug, Serialize)]
pub struct Finish {
    /// The ledger's id of the call.
    pub call_id: String,
    /// The model that answered.
    pub model: String,
    /// The token classes.
    pub usage: Value,
    /// `provider` or `counted`.
    pub usage_source: &'static str,
    /// What it cost.
    pub cost_nanousd: i64,
    /// The same as decimal text.
    pub cost_usd: String,
    /// The caller's limits after this call.
    pub limits: Value,
}

/// A usage, under the names that are used everywhere.
pub fn usage_json(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "web_search_requests": usage.web_search_requests,
        "web_fetch_requests": usage.web_fetch_requests,
    })
}

/// Limits: policy, limit, what remains, and the seconds until more is there (rounded up). A budget's are nanodollars,
/// and its `unit` says so.
pub fn limits_json<'a>(limits: impl Iterator<Item = &'a Standing>) -> Value {
    limits
        .map(|one| {
            let reset_s = one.reset_ms.map(|ms| ms.div_ceil(1_000));
            let mut told =
                json!({ "policy": one.policy, "limit": one.limit, "remaining": one.remaining, "reset_s": reset_s });
            if one.is_money {
                told["unit"] = json!("nanousd");
            }
            told
        })
        .collect()
}
