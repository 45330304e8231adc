//! Claude's stream events as the AI SDK's UI message stream.
//!
//! Only chunk types and fields that the parsers of `ai` 5, 6 and 7 accept are written; their ordering rules hold for
//! every sequence of events, also where the upstream breaks off or sends nonsense. Source: `ai` 7.0.173 and 6.0.326
//! (November 2026).

use serde::Serialize;

use super::events::{Event, Piece};
use super::reply::Bill;
use crate::ids::CallId;

/// The response's headers besides `content-type: text/event-stream`; the last keeps nginx from holding chunks back.
pub const HEADERS: [(&str, &str); 3] =
    [("cache-control", "no-cache"), ("x-vercel-ai-ui-message-stream", "v1"), ("x-accel-buffering", "no")];

/// A comment that keeps idle proxies from closing the stream.
pub const HEARTBEAT: &[u8] = b": keep-alive\n\n";

const BROKE_OFF: &str = "The answer broke off before its end. What you see is all that arrived; try again.";

/// What is known before Claude says anything.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The id under which the answer will be stored; the client takes it over.
    pub message_id: &'a str,
    /// The ledger's key.
    pub call_id: &'a CallId,
    /// The model asked for.
    pub model: &'a str,
    /// The conversation, also where it is new.
    pub conversation_id: &'a str,
}

/// One stream. Every function appends whole server-sent events to `out`.
#[derive(Debug)]
pub struct UiStream {
    /// Blocks that are begun and not ended: few at a time, so a list.
    blocks: Vec<Block>,
    stop_reason: Option<FinishReason>,
    complete: bool,
    failure: Option<String>,
}

#[derive(Debug)]
struct Block {
    index: u64,
    kind: Kind,
    /// Whether the client knows of it: a part begins with its first character, so that empty ones never show.
    begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
}

/// `finishReason` as v5 to v7 know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    Other,
}

impl FinishReason {
    /// The map of `@ai-sdk/anthropic` 4.0.105.
    fn of(stop_reason: &str) -> Self {
        match stop_reason {
            "end_turn" | "stop_sequence" | "pause_turn" => Self::Stop,
            "max_tokens" | "model_context_window_exceeded" => Self::Length,
            "tool_use" => Self::ToolCalls,
            "refusal" => Self::ContentFilter,
            _ => Self::Other,
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Chunk<'a> {
    Start {
        message_id: &'a str,
        message_metadata: Opening<'a>,
    },
    StartStep,
    FinishStep,
    MessageMetadata {
        message_metadata: &'a Bill<'a>,
    },
    Error {
        error_text: &'a str,
    },
    Finish {
        finish_reason: FinishReason,
        #[serde(skip_serializing_if = "Option::is_none")]
        message_metadata: Option<&'a Bill<'a>>,
    },
}

#[derive(Serialize)]
struct Opening<'a> {
    call_id: &'a CallId,
    model: &'a str,
    conversation_id: &'a str,
}

impl UiStream {
    /// Writes `start`, with the metadata `call_id`, `model`, `conversation_id`, and `start-step`.
    pub fn open(start: &Start<'_>, out: &mut Vec<u8>) -> Self {
        let Start { message_id, call_id, model, conversation_id } = *start;
        write(out, &Chunk::Start { message_id, message_metadata: Opening { call_id, model, conversation_id } });
        write(out, &Chunk::StartStep);
        Self { blocks: Vec::new(), stop_reason: None, complete: false, failure: None }
    }

    /// Translates one of Claude's events, given as its JSON. Text and thinking are passed on; events, blocks and deltas
    /// of other kinds write nothing. An `error` event fails the stream, with a sentence of ours in place of its text.
    pub fn event(&mut self, json: &[u8], out: &mut Vec<u8>) {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(json) else { return };
        if self.complete || self.failure.is_some() {
            return;
        }
        match (event.kind.as_ref(), event.index) {
            ("content_block_start", Some(index)) => self.begin(index, event.content_block, out),
            ("content_block_delta", Some(index)) => self.extend(index, event.delta, out),
            ("content_block_stop", Some(index)) => self.end(index, out),
            ("message_delta", _) => {
                let reason = event.delta.and_then(|delta| delta.stop_reason());
                self.stop_reason = reason.map(|reason| FinishReason::of(&reason)).or(self.stop_reason);
            }
            ("message_stop", _) => self.complete = true,
            ("error", _) => self.fail(masked(event.error.as_ref())),
            _ => {}
        }
    }

    /// Marks the stream as failed; `detail` is shown to the user. The first failure stays.
    pub fn fail(&mut self, detail: &str) {
        self.failure.get_or_insert_with(|| detail.to_owned());
    }

    /// Ends the stream: open parts are closed, then comes `finish` with the bill, or `error` where the answer failed or
    /// broke off. A failed answer may have cost something too: its bill comes as `message-metadata` before the error.
    pub fn close(mut self, bill: Option<&Bill<'_>>, out: &mut Vec<u8>) {
        while let Some(index) = self.blocks.first().map(|block| block.index) {
            self.end(index, out);
        }
        write(out, &Chunk::FinishStep);
        let whole = self.complete || self.stop_reason.is_some();
        let failure = self.failure.as_deref().or((!whole).then_some(BROKE_OFF));
        if let Some(error_text) = failure {
            if let Some(message_metadata) = bill {
                write(out, &Chunk::MessageMetadata { message_metadata });
            }
            write(out, &Chunk::Error { error_text });
        } else {
            let finish_reason = self.stop_reason.unwrap_or(FinishReason::Other);
            write(out, &Chunk::Finish { finish_reason, message_metadata: bill });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn begin(&mut self, index: u64, block: Option<Piece<'_>>, out: &mut Vec<u8>) {
        self.end(index, out);
        let Some(block) = block else { return };
        let kind = match block.kind.as_ref() {
            "text" => Kind::Text,
            "thinking" => Kind::Reasoning,
            _ => return,
        };
        self.blocks.push(Block { index, kind, begun: false });
        self.extend(index, Some(block), out);
    }

    fn extend(&mut self, index: u64, delta: Option<Piece<'_>>, out: &mut Vec<u8>) {
        let block = self.blocks.iter_mut().find(|block| block.index == index);
        let (Some(block), Some(delta)) = (block, delta) else { return };
        let json = match (block.kind, delta.kind.as_ref()) {
            (Kind::Text, "text" | "text_delta") => delta.text(),
            (Kind::Reasoning, "thinking" | "thinking_delta") => delta.thinking(),
            _ => None,
        };
        let Some(json) = json else { return };
        if !block.begun {
            block.begun = true;
            part(out, block.kind, "start", index, None);
        }
        part(out, block.kind, "delta", index, Some(json));
    }

    fn end(&mut self, index: u64, out: &mut Vec<u8>) {
        let Some(at) = self.blocks.iter().position(|block| block.index == index) else { return };
        let block = self.blocks.remove(at);
        if block.begun {
            part(out, block.kind, "end", index, None);
        }
    }
}

/// One chunk of a text or reasoning part, written by hand: this runs per delta. `json` is a raw JSON string.
fn part(out: &mut Vec<u8>, kind: Kind, step: &str, index: u64, json: Option<&str>) {
    use std::io::Write as _;
    let kind = if kind == Kind::Text { "text" } else { "reasoning" };
    // Writing to a Vec cannot fail.
    let _ = write!(out, "data: {{\"type\":\"{kind}-{step}\",\"id\":\"{index}\"");
    if let Some(json) = json {
        out.extend_from_slice(b",\"delta\":");
        out.extend_from_slice(json.as_bytes());
    }
    out.extend_from_slice(b"}\n\n");
}

fn write(out: &mut Vec<u8>, chunk: &Chunk<'_>) {
    let start = out.len();
    out.extend_from_slice(b"data: ");
    if serde_json::to_writer(&mut *out, chunk).is_err() {
        out.truncate(start); // half a chunk would be worse than none
        return;
    }
    out.extend_from_slice(b"\n\n");
}

/// What a user reads in place of the API's own text, which may quote the prompt or name the deployment.
fn masked(error: Option<&Piece<'_>>) -> &'static str {
    match error.map(|error| error.kind.as_ref()) {
        Some("overloaded_error") => "Claude is overloaded. Try again in a moment.",
        Some("rate_limit_error") => "Claude is limiting this app's requests. Try again in a moment.",
        Some("timeout_error") => "Claude took too long. Try again.",
        Some("invalid_request_error" | "request_too_large") => "Claude refused this request.",
        _ => "Claude stopped with an error. What you see is all that arrived; try again.",
    }
}

#[cfg(test)]
mod tests;
