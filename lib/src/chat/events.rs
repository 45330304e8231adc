//! What the UI message stream needs of Claude's stream events, borrowed from their text.
//!
//! Deltas stay raw JSON strings: they are valid in the answer exactly as they came, so nothing is unescaped and escaped
//! again. Everything that is not named here is skipped by the parser.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One event, by its `type`.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(borrow, default)]
    pub(super) delta: Option<Piece<'a>>,
    #[serde(borrow, default)]
    pub(super) content_block: Option<Piece<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<Piece<'a>>,
}

/// A block's start, a delta, or an error.
#[derive(Deserialize)]
pub(super) struct Piece<'a> {
    /// Absent in the delta of `message_delta`.
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    stop_reason: Option<&'a RawValue>,
}

impl<'a> Piece<'a> {
    /// Text as a raw JSON string, quotes included; `None` where there is none.
    pub(super) fn text(&self) -> Option<&'a str> {
        said(self.text)
    }

    /// Thinking, likewise.
    pub(super) fn thinking(&self) -> Option<&'a str> {
        said(self.thinking)
    }

    /// Why the answer ended.
    pub(super) fn stop_reason(&self) -> Option<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        let Text(reason) = serde_json::from_str(self.stop_reason?.get()).ok()?;
        Some(reason)
    }
}

fn said(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|json| json.starts_with('"') && *json != "\"\"")
}
