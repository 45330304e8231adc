//! What a finished call says about itself: the JSON answer, its bill, and what is left.

use serde::Serialize;
use serde_json::value::RawValue;

use super::content;
use crate::usage::{Source, Usage};
use crate::{Error, ids::CallId};

/// What a call used and cost: `messageMetadata` of the stream's end, and part of the JSON answer.
#[derive(Clone, Debug, Serialize)]
pub struct Bill<'a> {
    /// The ledger's key.
    pub call_id: &'a CallId,
    /// The model that answered.
    pub model: &'a str,
    /// Disjoint token classes.
    pub usage: &'a Usage,
    /// Where the figures come from: `provider` is exact, everything else is not.
    pub source: Source,
    /// Nanodollars.
    pub cost_nanousd: i64,
    /// The same in dollars, as exact decimal text.
    pub cost_usd: &'a str,
    /// What the caller has left; `None` in the JSON answer, which has headers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<&'a [Left]>,
}

/// How much of one policy is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The policy's name.
    pub policy: String,
    /// Its quota; nanodollars where it is a budget.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// Seconds until there is more; `null` where nothing is used.
    pub reset_s: Option<u64>,
}

impl Left {
    /// From milliseconds, rounded up: a client that waits this long finds what it was promised.
    pub fn new(policy: impl Into<String>, limit: u64, remaining: u64, reset_ms: Option<u64>) -> Self {
        Self { policy: policy.into(), limit, remaining, reset_s: reset_ms.map(|ms| ms.div_ceil(1_000)) }
    }
}

/// The answer to `Accept: application/json`.
#[derive(Debug, Serialize)]
pub struct ChatReply<'a> {
    /// The conversation, also where it is new.
    pub conversation_id: &'a str,
    /// What Claude said.
    pub message: ReplyMessage<'a>,
    /// Why it ended, in the Messages API's words.
    pub stop_reason: Option<&'a str>,
    /// `call_id`, `model`, `usage`, `source`, `cost_nanousd`, `cost_usd`.
    #[serde(flatten)]
    pub bill: Bill<'a>,
}

/// A message of Claude's as clients see it.
#[derive(Debug, Serialize)]
pub struct ReplyMessage<'a> {
    /// The store's id of it.
    pub id: &'a str,
    /// `assistant`.
    pub role: &'static str,
    /// Its text blocks, joined.
    pub text: String,
    /// Every block as Claude sent it.
    pub content: &'a RawValue,
}

impl<'a> ReplyMessage<'a> {
    /// From stored content.
    ///
    /// # Errors
    /// [`Code::Internal`](crate::Code::Internal) where it is not JSON.
    pub fn new(id: &'a str, content: &'a str) -> Result<Self, Error> {
        let raw = serde_json::from_str(content).map_err(Error::internal)?;
        Ok(Self { id, role: super::body::Role::Assistant.as_str(), text: content::text(content), content: raw })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_json_answer_has_the_documented_shape() {
        let usage = Usage { input_tokens: 25, output_tokens: 15, ..Usage::default() };
        let call_id = CallId("call".into());
        let (source, cost_usd) = (Source::Provider, "0.0004");
        let bill = Bill {
            call_id: &call_id,
            model: "m",
            usage: &usage,
            source,
            cost_nanousd: 400_000,
            cost_usd,
            limits: None,
        };
        let message =
            ReplyMessage::new("msg", r#"[{"type":"text","text":"Hi"},{"type":"novel","big":12345678901234567890}]"#);
        let reply = ChatReply { conversation_id: "c", message: message.unwrap(), stop_reason: Some("end_turn"), bill };
        let expected = json!({
            "conversation_id": "c",
            "message": {"id": "msg", "role": "assistant", "text": "Hi",
                "content": [{"type": "text", "text": "Hi"}, {"type": "novel", "big": 12345678901234567890_u64}]},
            "model": "m", "stop_reason": "end_turn", "call_id": "call", "cost_nanousd": 400_000, "cost_usd": "0.0004",
            "source": "provider",
            "usage": {"input_tokens": 25, "output_tokens": 15, "cache_write_5m_tokens": 0, "cache_write_1h_tokens": 0,
                "cache_read_tokens": 0, "web_search_requests": 0, "web_fetch_requests": 0, "speed": "standard",
                "inference_geo": null, "service_tier": null},
        });
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(Left::new("hour", 10, 9, Some(1)).reset_s, Some(1));
        assert_eq!(Left::new("hour", 10, 9, Some(2_000)).reset_s, Some(2));
        let json = serde_json::to_value(Left::new("hour", 10, 10, None)).unwrap();
        assert_eq!(json, json!({"policy": "hour", "limit": 10, "remaining": 10, "reset_s": null}));
    }
}
