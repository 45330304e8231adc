//! Claude's events as the AI SDK's UI message stream: only chunks that v5, v6 and v7 clients accept.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Finish;

/// A comment that keeps a silent connection open; clients pass over it.
pub const HEARTBEAT: &[u8] = b": keep-alive\n\n";

/// A stream in the making. Whatever Claude sends and wherever it stops, what comes out is a valid stream: parts are
/// closed, and it ends with one `finish` or one `error`.
#[derive(Debug, Default)]
pub struct UiStream {
    open: Vec<(usize, Part)>,
    stop_reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Text,
    Reasoning,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: usize,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Chunk<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
}

impl UiStream {
    /// The beginning.
    pub fn start(&self, message_id: &str, metadata: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, &json!({ "type": "start", "messageId": message_id, "messageMetadata": metadata }));
        write(&mut out, &json!({ "type": "start-step" }));
        out
    }

    /// What one event of Claude becomes; often nothing.
    pub fn event(&mut self, data: &str, out: &mut Vec<u8>) {
        // Events that are no JSON, or of a shape of tomorrow, say nothing to today's clients.
        let Ok(event) = serde_json::from_str::<Event<'_>>(data) else { return };
        match &*event.kind {
            "content_block_start" => self.open_part(event.index, event.content_block, out),
            "content_block_delta" => self.delta(event.index, event.delta.as_ref(), out),
            "content_block_stop" => self.close_part(event.index, out),
            "message_delta" => {
                if let Some(reason) = event.delta.and_then(|delta| delta.stop_reason) {
                    self.stop_reason = Some(reason.into_owned());
                }
            }
            _ => {}
        }
    }

    fn open_part(&mut self, index: usize, block: Option<Block<'_>>, out: &mut Vec<u8>) {
        let Some(block) = block else { return };
        let part = match &*block.kind {
            "text" => Part::Text,
            "thinking" => Part::Reasoning,
            _ => return,
        };
        self.close_part(index, out);
        self.open.push((index, part));
        write(out, &Chunk { kind: part.start(), id: index.to_string(), delta: None });
        if let Some(text) = block.text.filter(|text| !text.is_empty()) {
            write(out, &Chunk { kind: part.delta(), id: index.to_string(), delta: Some(&text) });
        }
    }

    fn delta(&mut self, index: usize, delta: Option<&Delta<'_>>, out: &mut Vec<u8>) {
        let Some((_, part)) = self.open.iter().find(|(open, _)| *open == index) else { return };
        let Some(delta) = delta else { return };
        let text = match (part, &*delta.kind) {
            (Part::Text, "text_delta") => &delta.text,
            (Part::Reasoning, "thinking_delta") => &delta.thinking,
            _ => return,
        };
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            write(out, &Chunk { kind: part.delta(), id: index.to_string(), delta: Some(text) });
        }
    }

    fn close_part(&mut self, index: usize, out: &mut Vec<u8>) {
        if let Some(at) = self.open.iter().position(|(open, _)| *open == index) {
            let (_, part) = self.open.remove(at);
            write(out, &Chunk { kind: part.end(), id: index.to_string(), delta: None });
        }
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        while let Some((index, _)) = self.open.first().copied() {
            self.close_part(index, out);
        }
    }

    /// The end of an answer that is whole.
    pub fn finish(&mut self, finish: &Finish) -> Vec<u8> {
        let mut out = Vec::new();
        self.close_all(&mut out);
        write(&mut out, &json!({ "type": "finish-step" }));
        let reason = finish_reason(self.stop_reason.as_deref());
        write(&mut out, &json!({ "type": "finish", "finishReason": reason, "messageMetadata": finish }));
        out.extend_from_slice(b"data: [DONE]\n\n");
        out
    }

    /// The end of an answer that failed; what came before stays with the client. The figures come first, because an
    /// error ends what a client reads.
    pub fn error(&mut self, text: &str, finish: Option<&Finish>) -> Vec<u8> {
        let mut out = Vec::new();
        self.close_all(&mut out);
        if let Some(finish) = finish {
            write(&mut out, &json!({ "type": "message-metadata", "messageMetadata": finish }));
        }
        write(&mut out, &json!({ "type": "error", "errorText": text }));
        out.extend_from_slice(b"data: [DONE]\n\n");
        out
    }
}

impl Part {
    fn start(self) -> &'static str {
        match self {
            Self::Text => "text-start",
            Self::Reasoning => "reasoning-start",
        }
    }

    fn delta(self) -> &'static str {
        match self {
            Self::Text => "text-delta",
            Self::Reasoning => "reasoning-delta",
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::Text => "text-end",
            Self::Reasoning => "reasoning-end",
        }
    }
}

/// The map of `@ai-sdk/anthropic` 4.0.105.
fn finish_reason(stop_reason: Option<&str>) -> &'static str {
    match stop_reason {
        Some("end_turn" | "stop_sequence" | "pause_turn") => "stop",
        Some("max_tokens" | "model_context_window_exceeded") => "length",
        Some("tool_use") => "tool-calls",
        Some("refusal") => "content-filter",
        _ => "other",
    }
}

fn write(out: &mut Vec<u8>, chunk: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    let before = out.len();
    if serde_json::to_writer(&mut *out, chunk).is_err() {
        // Strings and numbers always serialise; a chunk cut in the middle would break the stream.
        out.truncate(before.saturating_sub(6));
        return;
    }
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
#[path = "ui_stream_tests.rs"]
mod tests;
