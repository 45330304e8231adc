//! Claude's events as the AI SDK's UI message stream: only chunks that v5, v6 and v7 clients accept.

use std::{borrow::Cow, io::Write as _};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::Finish;

/// A comment that keeps a silent connection open; clients pass over it.
pub const HEARTBEAT: &[u8] = b": keep-alive\n\n";

/// A stream in the making. Whatever Claude sends and wherever it stops, what comes out is a valid stream: parts are
/// closed, and it ends with one `finish` or one `error`.
#[derive(Debug, Default)]
pub struct UiStream {
    open: Vec<Open>,
    stop_reason: Option<String>,
}

/// A block that has begun and not ended.
#[derive(Debug)]
struct Open {
    index: usize,
    part: Part,
    /// A part begins with its first character: thinking that Claude does not show would be an empty box.
    begun: bool,
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
    content_block: Option<Piece<'a>>,
    #[serde(borrow)]
    delta: Option<Piece<'a>>,
}

/// A block's start or a delta. Text stays the JSON string that it is: valid on the way out exactly as it came.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
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

    fn open_part(&mut self, index: usize, block: Option<Piece<'_>>, out: &mut Vec<u8>) {
        let Some(block) = block else { return };
        self.close_part(index, out);
        let part = match &*block.kind {
            "text" => Part::Text,
            "thinking" => Part::Reasoning,
            _ => return,
        };
        self.open.push(Open { index, part, begun: false });
        self.delta(index, Some(&block), out);
    }

    fn delta(&mut self, index: usize, delta: Option<&Piece<'_>>, out: &mut Vec<u8>) {
        let Some(open) = self.open.iter_mut().find(|open| open.index == index) else { return };
        let Some(delta) = delta else { return };
        let said = match (open.part, &*delta.kind) {
            (Part::Text, "text" | "text_delta") => delta.text,
            (Part::Reasoning, "thinking" | "thinking_delta") => delta.thinking,
            _ => return,
        };
        let Some(json) = said.map(RawValue::get).filter(|json| json.starts_with('"') && *json != "\"\"") else {
            return;
        };
        if !open.begun {
            open.begun = true;
            write_part(out, open.part, "start", index, None);
        }
        write_part(out, open.part, "delta", index, Some(json));
    }

    fn close_part(&mut self, index: usize, out: &mut Vec<u8>) {
        let Some(at) = self.open.iter().position(|open| open.index == index) else { return };
        let open = self.open.remove(at);
        if open.begun {
            write_part(out, open.part, "end", index, None);
        }
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        while let Some(index) = self.open.first().map(|open| open.index) {
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

/// One chunk of a part, written by hand because this runs per delta. `json` is a JSON string.
fn write_part(out: &mut Vec<u8>, part: Part, step: &str, index: usize, json: Option<&str>) {
    let part = match part {
        Part::Text => "text",
        Part::Reasoning => "reasoning",
    };
    // A Vec takes everything.
    let _ = write!(out, "data: {{\"type\":\"{part}-{step}\",\"id\":\"{index}\"");
    if let Some(json) = json {
        out.extend_from_slice(b",\"delta\":");
        out.extend_from_slice(json.as_bytes());
    }
    out.extend_from_slice(b"}\n\n");
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
