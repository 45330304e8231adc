//! The parts of an answer on the AI SDK's wire. Parts with text are written by hand, because that runs per delta.

use std::io::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

/// What a block of Claude's becomes.
#[derive(Debug)]
pub(super) enum Part {
    /// With what it cites.
    Text { citations: Vec<Value> },
    /// With the signature that proves it to Claude.
    Reasoning { signature: Option<String> },
    /// A call of a tool, its input as it comes.
    Tool(ToolCall),
}

/// A call of a tool.
#[derive(Debug)]
pub(super) struct ToolCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) input: String,
    /// Run by Claude itself, such as a web search.
    pub(super) is_claudes: bool,
}

impl Part {
    fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Reasoning { .. } => "reasoning",
            Self::Tool(_) => "tool-input",
        }
    }

    /// `text-start`, `reasoning-start`, `tool-input-start`.
    pub(super) fn start(&self, index: usize, out: &mut Vec<u8>) {
        match self {
            Self::Tool(call) => write(out, &call.chunk("tool-input-start", json!({ "toolName": call.name }))),
            // A Vec takes everything.
            _ => drop(write!(out, "data: {{\"type\":\"{}-start\",\"id\":\"{index}\"}}\n\n", self.name())),
        }
    }

    /// A delta; `json` is a JSON string.
    pub(super) fn delta(&self, index: usize, json: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        if let Self::Tool(call) = self {
            out.extend_from_slice(b"{\"type\":\"tool-input-delta\",\"toolCallId\":");
            let _ = serde_json::to_writer(&mut *out, &call.id);
            out.extend_from_slice(b",\"inputTextDelta\":");
        } else {
            let _ = write!(out, "{{\"type\":\"{}-delta\",\"id\":\"{index}\",\"delta\":", self.name());
        }
        out.extend_from_slice(json.as_bytes());
        out.extend_from_slice(b"}\n\n");
    }

    /// The end of a part that is whole. What proves or cites it goes along as the provider's metadata.
    pub(super) fn end(&self, index: usize, out: &mut Vec<u8>) {
        let known = match self {
            Self::Text { citations } => (!citations.is_empty()).then(|| json!({ "citations": citations })),
            Self::Reasoning { signature } => signature.as_ref().map(|text| json!({ "signature": text })),
            Self::Tool(call) => return call.available(out),
        };
        let mut chunk = json!({ "type": format!("{}-end", self.name()), "id": index.to_string() });
        if let Some(known) = known {
            chunk["providerMetadata"] = json!({ "anthropic": known });
        }
        write(out, &chunk);
    }
}

impl ToolCall {
    /// The input is complete, or no JSON because the answer ended in the middle of it.
    fn available(&self, out: &mut Vec<u8>) {
        let text = if self.input.is_empty() { "{}" } else { &self.input };
        match serde_json::from_str::<Value>(text) {
            Ok(input) => {
                write(out, &self.chunk("tool-input-available", json!({ "toolName": self.name, "input": input })));
            }
            Err(_) => {
                let error = "The answer ended before the tool's input did.";
                let fields = json!({ "toolName": self.name, "input": text, "errorText": error });
                write(out, &self.chunk("tool-input-error", fields));
            }
        }
    }

    fn chunk(&self, kind: &str, fields: Value) -> Value {
        chunk(kind, &self.id, fields, self.is_claudes)
    }
}

/// A chunk of a tool's call.
pub(super) fn chunk(kind: &str, call_id: &str, fields: Value, is_claudes: bool) -> Value {
    let mut chunk = json!({ "type": kind, "toolCallId": call_id });
    if let (Value::Object(chunk), Value::Object(fields)) = (&mut chunk, fields) {
        chunk.extend(fields);
    }
    if is_claudes {
        chunk["providerExecuted"] = true.into();
    }
    chunk
}

/// One chunk.
pub(super) fn write(out: &mut Vec<u8>, chunk: &impl Serialize) {
    out.extend_from_slice(b"data: ");
    let before = out.len();
    if serde_json::to_writer(&mut *out, chunk).is_err() {
        // Strings and numbers always serialise; a chunk cut in the middle would break the stream.
        out.truncate(before.saturating_sub(6));
        return;
    }
    out.extend_from_slice(b"\n\n");
}
