//! One event of Claude's stream, read in place: nothing is copied and no tree is built, because that runs per delta.
//!
//! Source: Messages API, "Streaming" (copy of August 2026); `@anthropic-ai/sdk` 1.12.0 (2026-11-20).

use std::{borrow::Cow, collections::HashMap};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// An event. Of each part only the extent is known until somebody wants what is in it.
#[derive(Debug, Default, Deserialize)]
pub struct StreamEvent<'a> {
    /// `type`, such as `content_block_delta`.
    #[serde(rename = "type", borrow, default)]
    pub kind: Cow<'a, str>,
    /// Which content block.
    pub index: Option<usize>,
    /// What a block or the message gains.
    #[serde(borrow)]
    pub delta: Option<Delta<'a>>,
    /// A block's beginning.
    #[serde(borrow)]
    pub content_block: Option<&'a RawValue>,
    /// The message at its beginning.
    #[serde(borrow)]
    pub message: Option<&'a RawValue>,
    /// Totals so far.
    #[serde(borrow)]
    pub usage: Option<&'a RawValue>,
    /// What went wrong.
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

/// The fields of the deltas that are known. Text is the JSON string that it is on the wire.
#[derive(Debug, Default, Deserialize)]
pub struct Delta<'a> {
    /// `type`, such as `text_delta`; a message's delta has none.
    #[serde(rename = "type", borrow, default)]
    pub kind: Cow<'a, str>,
    /// Of a `text_delta`.
    #[serde(borrow)]
    pub text: Option<&'a RawValue>,
    /// Of a `thinking_delta`.
    #[serde(borrow)]
    pub thinking: Option<&'a RawValue>,
    /// Of an `input_json_delta`.
    #[serde(borrow)]
    pub partial_json: Option<&'a RawValue>,
    /// Of a `signature_delta`.
    #[serde(borrow)]
    pub signature: Option<&'a RawValue>,
    /// Of a `citations_delta`.
    #[serde(borrow)]
    pub citation: Option<&'a RawValue>,
    /// Why the message ends.
    #[serde(borrow)]
    pub stop_reason: Option<&'a RawValue>,
    /// What a refusal is about.
    #[serde(borrow)]
    pub stop_details: Option<&'a RawValue>,
}

impl<'a> StreamEvent<'a> {
    /// Reads an event's data. `None` where it is no JSON object: it is passed on all the same, and tells nothing.
    pub fn read(data: &'a str) -> Option<Self> {
        serde_json::from_str(data).ok().or_else(|| Self::read_by_parts(data))
    }

    /// Where a part has a shape of tomorrow, the others still tell what they tell.
    fn read_by_parts(data: &'a str) -> Option<Self> {
        let parts: HashMap<String, &'a RawValue> = serde_json::from_str(data).ok()?;
        let part = |name| parts.get(name).copied();
        Some(Self {
            kind: part("type").and_then(text).unwrap_or_default(),
            index: part("index").and_then(value),
            delta: part("delta").and_then(|delta| serde_json::from_str(delta.get()).ok()),
            content_block: part("content_block"),
            message: part("message"),
            usage: part("usage"),
            error: part("error"),
        })
    }
}

/// What a JSON string says; `None` for anything else. Copied only where something in it is escaped.
pub fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    let inside = json.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inside));
    }
    serde_json::from_str(json.get()).ok().map(Cow::Owned)
}

/// What a part says, in its own shape; `None` where it has another.
pub fn value<T: DeserializeOwned>(json: &RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}
