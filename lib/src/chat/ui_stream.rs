//! Claude's events as the AI SDK's UI message stream: only chunks that v5, v6 and v7 clients accept.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    Finish,
    sources::{self, Sources},
    ui_part::{Part, ToolCall, chunk, write},
};
use crate::stream_event::{self, Delta, StreamEvent};

/// A comment that keeps a silent connection open; clients pass over it.
pub const HEARTBEAT: &[u8] = b": keep-alive\n\n";

/// What every stream ends with.
pub const STREAM_END: &str = "data: [DONE]\n\n";

/// A stream in the making. Whatever Claude sends and wherever it stops, what comes out is a valid stream: parts are
/// closed, and it ends with one `finish` or one `error`.
#[derive(Debug, Default)]
pub struct UiStream {
    open: Vec<Open>,
    /// Calls of tools that the client has been told of: a result of any other would break it.
    told: Vec<String>,
    sources: Sources,
    stop_reason: Option<String>,
    stop_details: Option<Value>,
}

/// A block that has begun and not ended.
#[derive(Debug)]
struct Open {
    index: usize,
    part: Part,
    /// A part begins with its first character: thinking that Claude does not show would be an empty box.
    begun: bool,
}

/// A block's start, besides its text.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_use_id: Option<Cow<'a, str>>,
    content: Option<Value>,
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
    pub fn event(&mut self, event: &StreamEvent<'_>, out: &mut Vec<u8>) {
        let index = event.index.unwrap_or(0);
        match &*event.kind {
            "content_block_delta" => self.delta(index, event.delta.as_ref(), out),
            "content_block_start" => self.open_part(index, event.content_block, out),
            "content_block_stop" => self.close_part(index, out),
            "message_delta" => {
                let Some(delta) = &event.delta else { return };
                if let Some(reason) = delta.stop_reason.and_then(stream_event::text) {
                    self.stop_reason = Some(reason.into_owned());
                    self.stop_details = delta.stop_details.and_then(stream_event::value);
                }
            }
            _ => {}
        }
    }

    fn open_part(&mut self, index: usize, block: Option<&RawValue>, out: &mut Vec<u8>) {
        let Some(json) = block.map(RawValue::get) else { return };
        // A block of a shape of tomorrow says nothing to today's clients.
        let Ok(block) = serde_json::from_str::<Block<'_>>(json) else { return };
        self.close_part(index, out);
        let part = match &*block.kind {
            "text" => Part::Text { citations: Vec::new() },
            "thinking" => Part::Reasoning { signature: None },
            "tool_use" | "server_tool_use" => {
                let (Some(id), Some(name)) = (&block.id, &block.name) else { return };
                let is_claudes = block.kind == "server_tool_use";
                let call = ToolCall { id: id.to_string(), name: name.to_string(), input: String::new(), is_claudes };
                let part = Part::Tool(call);
                part.start(index, out);
                self.told.push(id.to_string());
                self.open.push(Open { index, part, begun: true });
                return;
            }
            kind if kind.ends_with("_tool_result") => return self.result(&block, out),
            _ => return,
        };
        self.open.push(Open { index, part, begun: false });
        self.delta(index, serde_json::from_str(json).ok().as_ref(), out);
    }

    /// What a tool of Claude's own found: it comes in one piece.
    fn result(&mut self, block: &Block<'_>, out: &mut Vec<u8>) {
        let (Some(call), Some(content)) = (&block.tool_use_id, &block.content) else { return };
        if !self.told.iter().any(|told| told == call) {
            return;
        }
        match sources::shown(content) {
            Ok(shown) => {
                write(out, &chunk("tool-output-available", call, json!({ "output": shown }), true));
                for source in self.sources.of_result(&shown) {
                    write(out, &source);
                }
            }
            Err(code) => write(out, &chunk("tool-output-error", call, json!({ "errorText": code }), true)),
        }
    }

    fn delta(&mut self, index: usize, delta: Option<&Delta<'_>>, out: &mut Vec<u8>) {
        let Some(open) = self.open.iter_mut().find(|open| open.index == index) else { return };
        let Some(delta) = delta else { return };
        let said = match (&mut open.part, &*delta.kind) {
            (Part::Text { .. }, "text" | "text_delta") => delta.text,
            (Part::Text { citations }, "citations_delta") => {
                let Some(citation) = delta.citation.and_then(stream_event::value::<Value>) else { return };
                citations.push(sources::citation(&citation));
                if let Some(source) = self.sources.of_citation(&citation) {
                    write(out, &source);
                }
                return;
            }
            (Part::Reasoning { .. }, "thinking" | "thinking_delta") => delta.thinking,
            (Part::Reasoning { signature }, "signature_delta") => {
                *signature = delta.signature.and_then(stream_event::text).map(Cow::into_owned);
                return;
            }
            (Part::Tool(call), "input_json_delta") => {
                call.input.push_str(&delta.partial_json.and_then(stream_event::text).unwrap_or_default());
                delta.partial_json
            }
            _ => return,
        };
        let Some(json) = said.map(RawValue::get).filter(|json| json.starts_with('"') && *json != "\"\"") else {
            return;
        };
        if !open.begun {
            open.begun = true;
            open.part.start(index, out);
        }
        open.part.delta(index, json, out);
    }

    fn close_part(&mut self, index: usize, out: &mut Vec<u8>) {
        let Some(at) = self.open.iter().position(|open| open.index == index) else { return };
        let open = self.open.remove(at);
        if open.begun {
            open.part.end(index, out);
        }
    }

    fn close_all(&mut self, out: &mut Vec<u8>) {
        while let Some(index) = self.open.first().map(|open| open.index) {
            self.close_part(index, out);
        }
    }

    /// The end of an answer that is whole. Beside the figures stands why it ended, and what a refusal is about.
    pub fn finish(&mut self, finish: &Finish) -> Vec<u8> {
        let mut out = Vec::new();
        self.close_all(&mut out);
        write(&mut out, &json!({ "type": "finish-step" }));
        let reason = finish_reason(self.stop_reason.as_deref());
        let mut metadata = json!(finish);
        metadata["stop_reason"] = json!(self.stop_reason);
        if let Some(details) = self.stop_details.take().filter(Value::is_object) {
            metadata["stop_details"] = details;
        }
        write(&mut out, &json!({ "type": "finish", "finishReason": reason, "messageMetadata": metadata }));
        out.extend_from_slice(STREAM_END.as_bytes());
        out
    }

    /// The end of an answer that failed; what came before stays with the client. The figures come first, because an
    /// error ends what a client reads.
    ///
    /// An answer that ran out of time ends so too, and not with `abort`: `useChat` of v5, v6 and v7 passes over that chunk,
    /// so that half an answer would look like a whole one. Who stops an answer has closed the connection by then.
    pub fn error(&mut self, text: &str, finish: Option<&Finish>) -> Vec<u8> {
        let mut out = Vec::new();
        self.close_all(&mut out);
        if let Some(finish) = finish {
            write(&mut out, &json!({ "type": "message-metadata", "messageMetadata": finish }));
        }
        write(&mut out, &json!({ "type": "error", "errorText": text }));
        out.extend_from_slice(STREAM_END.as_bytes());
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

#[cfg(test)]
#[path = "ui_stream_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ui_stream_any_bytes.rs"]
mod any_bytes;
