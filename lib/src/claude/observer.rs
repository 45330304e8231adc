//! Reads a call's answer as it passes, and knows at every moment what it would have to be charged.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Asked, ClaudeError, EventSplitter, blocks::Blocks, wire_usage::WireUsage};
use crate::{
    stream_event::{self, StreamEvent},
    usage::{Source, Usage},
};

/// A token stands for about four characters: the floor that Anthropic's own gateway documentation bills aborted
/// streams with (copy of August 2026). Counted in bytes of UTF-8, so that writing which has a token a character, such
/// as Chinese, is not counted at a third of what it is.
const BYTES_PER_TOKEN: u64 = 4;

/// Tokens around a block's content: its kind, a tool's name and id.
const BLOCK_TOKENS: u64 = 256;

/// How a call has ended so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The message is whole.
    Completed,
    /// Claude refused before any output: not billed, although usage is reported.
    Refused,
    /// An error event, or an error instead of a message.
    Failed,
    /// The stream ended before the message did.
    Cut,
}

/// What has been seen of an answer.
#[derive(Debug, Default)]
pub struct Observer {
    splitter: EventSplitter,
    usage: WireUsage,
    blocks: Blocks,
    started: bool,
    finished: bool,
    has_final_usage: bool,
    output_bytes: u64,
    message_id: Option<String>,
    model: Option<String>,
    stop_reason: Option<String>,
    error_type: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    model: Option<String>,
    stop_reason: Option<String>,
    usage: Option<WireUsage>,
    #[serde(default)]
    content: Vec<Value>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Observer {
    /// An observer of a call. Until the usage says otherwise, speed and place are the dearer ones that were asked for.
    pub fn new(asked: &Asked) -> Self {
        Self { usage: WireUsage::asked(asked), ..Self::default() }
    }

    /// The same observer, which keeps no content: it only counts.
    pub fn without_content(mut self) -> Self {
        self.blocks = Blocks::counted();
        self
    }

    /// Takes the next bytes of an event stream; every complete event is handed on after it has been read.
    ///
    /// # Errors
    /// A protocol error where the bytes are no event stream; what could be read of them is read.
    pub fn push(&mut self, bytes: &[u8], mut on_event: impl FnMut(&StreamEvent<'_>)) -> Result<(), ClaudeError> {
        let mut splitter = std::mem::take(&mut self.splitter);
        let split = splitter.push(bytes, |data| {
            // Events that are no JSON, and kinds that are not known, are passed on and tell nothing about cost.
            if let Some(event) = StreamEvent::read(data) {
                self.read(&event, data);
                on_event(&event);
            }
        });
        self.splitter = splitter;
        split
    }

    /// Takes the whole body of an answer that was not streamed.
    ///
    /// # Errors
    /// A protocol error where the body is no message.
    pub fn whole(&mut self, body: &[u8]) -> Result<(), ClaudeError> {
        let message: Message = serde_json::from_slice(body).map_err(ClaudeError::protocol)?;
        let has_usage = message.usage.is_some();
        self.begin(message);
        self.finished = true;
        self.has_final_usage = has_usage;
        Ok(())
    }

    fn read(&mut self, event: &StreamEvent<'_>, data: &str) {
        match &*event.kind {
            "content_block_delta" => {
                let known = event.index.zip(event.delta.as_ref());
                let bytes = known.and_then(|(index, delta)| self.blocks.delta(index, delta));
                let bytes = bytes.unwrap_or_else(|| unknown_bytes(data));
                self.output_bytes = self.output_bytes.saturating_add(bytes);
            }
            "message_start" => {
                if let Some(message) = event.message.and_then(stream_event::value) {
                    self.begin(message);
                }
            }
            "content_block_start" => {
                let bytes = self.blocks.start(event.content_block);
                self.output_bytes = self.output_bytes.saturating_add(bytes);
            }
            "content_block_stop" => self.blocks.stop(event.index.unwrap_or(usize::MAX)),
            "message_delta" => {
                let reason = event.delta.as_ref().and_then(|delta| delta.stop_reason).and_then(stream_event::text);
                if let Some(reason) = reason {
                    self.stop_reason = Some(reason.into_owned());
                }
                if let Some(usage) = event.usage.and_then(stream_event::value::<Option<WireUsage>>).flatten() {
                    self.has_final_usage = self.stop_reason.is_some();
                    self.usage.merge(usage);
                }
            }
            "message_stop" => self.finished = true,
            "error" => {
                let error = event.error.and_then(stream_event::value::<WireError>);
                self.error_type = error.and_then(|error| error.kind).or(Some("error".to_owned()));
            }
            _ => {}
        }
    }

    fn begin(&mut self, message: Message) {
        self.started = true;
        self.message_id = message.id;
        self.model = message.model;
        self.stop_reason = message.stop_reason;
        if let Some(usage) = message.usage {
            self.usage.merge(usage);
        }
        let texts = message.content.iter().flat_map(|block| [block.get("text"), block.get("thinking")]);
        let bytes: usize = texts.flatten().filter_map(Value::as_str).map(str::len).sum();
        self.output_bytes = self.output_bytes.saturating_add(bytes as u64);
        self.blocks.begin(message.content);
    }

    /// How the call has ended, if it ended now.
    pub fn outcome(&self) -> Outcome {
        match () {
            () if self.error_type.is_some() => Outcome::Failed,
            () if !self.finished => Outcome::Cut,
            () if self.stop_reason.as_deref() == Some("refusal") && self.output_bytes == 0 => Outcome::Refused,
            () => Outcome::Completed,
        }
    }

    /// What the call used, and how that is known. Never less than what was seen.
    pub fn settled_usage(&self) -> (Usage, Source) {
        let mut usage = self.usage.classes();
        if self.has_final_usage {
            return (usage, Source::Provider);
        }
        let counted = self.output_bytes.div_ceil(BYTES_PER_TOKEN);
        usage.output_tokens = usage.output_tokens.max(counted).max(self.usage.output_tokens().unwrap_or(0));
        (usage, Source::Counted)
    }

    /// The most output tokens that what was seen can have been: a token has a byte at least, and a block some around it.
    pub fn output_tokens_bound(&self) -> u64 {
        let blocks = self.blocks.count();
        self.output_bytes.saturating_add((blocks + 1).saturating_mul(BLOCK_TOKENS))
    }

    /// Whether the message goes on, and the bytes so far end where an event ends: something of ours may follow.
    pub fn may_be_ended(&self) -> bool {
        self.started && !self.finished && self.error_type.is_none() && self.splitter.is_between_events()
    }

    /// Ends the message as one that has no more tokens, and gives the events that say so. What it used is counted from
    /// here on: Claude's own figure will never come.
    pub fn end_events(&self) -> String {
        let output_tokens = self.settled_usage().0.output_tokens;
        let open = self.blocks.open().map(|index| json!({ "type": "content_block_stop", "index": index }));
        let delta = json!({
            "type": "message_delta",
            "delta": { "stop_reason": "max_tokens", "stop_sequence": null },
            "usage": { "output_tokens": output_tokens },
        });
        let events = open.into_iter().chain([delta, json!({ "type": "message_stop" })]);
        let named = events.map(|event| {
            let name = event["type"].as_str().unwrap_or_default().to_owned();
            format!("event: {name}\ndata: {event}\n\n")
        });
        named.collect()
    }

    /// The figures are counted, whatever the last events said.
    pub fn is_counted_only(&mut self) {
        self.has_final_usage = false;
    }

    /// Whether a message has begun: from then on something may have been billed.
    pub fn has_started(&self) -> bool {
        self.started
    }

    /// Whether the call is billed: Claude does not charge a refusal before any output.
    pub fn is_billed(&self) -> bool {
        self.started && self.outcome() != Outcome::Refused
    }

    /// The model that answered, which can be the dated id of an alias.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Why the message ended.
    pub fn stop_reason(&self) -> Option<&str> {
        self.stop_reason.as_deref()
    }

    /// The type of an error event.
    pub fn error_type(&self) -> Option<&str> {
        self.error_type.as_deref()
    }

    /// The content blocks, as they are stored and sent back in the next turn.
    pub fn content(&self) -> &[Value] {
        self.blocks.list()
    }

    /// The blocks worth keeping for the next turn: of a message that broke off that is the bare text, since Claude takes
    /// neither a thought without its signature, nor a tool call without its input, nor a citation without what it
    /// cites.
    pub fn content_to_keep(&self) -> Vec<Value> {
        let kind = |block: &Value| block.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_empty_text = |block: &Value| {
            kind(block) == "text" && block.get("text").and_then(Value::as_str).is_none_or(|text| text.trim().is_empty())
        };
        let is_whole = self.finished && self.error_type.is_none();
        let blocks = self.blocks.list().iter().filter(|block| !is_empty_text(block));
        if is_whole {
            return blocks.cloned().collect();
        }
        let texts = blocks.filter(|block| kind(block) == "text").filter_map(|block| block.get("text"));
        texts.map(|text| serde_json::json!({ "type": "text", "text": text })).collect()
    }

    /// All text of the answer.
    pub fn text(&self) -> String {
        self.blocks.text()
    }
}

/// The bytes of the strings in a delta of a kind that is not known, so that an answer that breaks off is never charged
/// below what came.
fn unknown_bytes(data: &str) -> u64 {
    #[derive(Deserialize)]
    struct Unknown {
        delta: Map<String, Value>,
    }
    let fields = serde_json::from_str::<Unknown>(data).map(|unknown| unknown.delta).unwrap_or_default();
    let texts = fields.iter().filter(|(name, _)| *name != "type").filter_map(|(_, value)| value.as_str());
    texts.map(|text| text.len() as u64).sum()
}

#[cfg(test)]
#[path = "observer_tests.rs"]
mod tests;
