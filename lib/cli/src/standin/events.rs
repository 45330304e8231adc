//! An answer as the events of a stream, each with what the call has cost by then.

use purser::usage::Usage;
use serde_json::{Value, json};

use super::{
    figures,
    prompt::tokens,
    reply::{Block, Reply, search_input},
    request::Ask,
};

/// One event of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) data: Value,
    /// What is billed if the stream breaks after this event.
    pub(crate) used: Usage,
}

impl Event {
    /// The event's bytes: its name equals the JSON's `type`.
    pub(crate) fn wire(&self) -> String {
        wire(&self.data)
    }
}

/// An event's bytes.
pub(crate) fn wire(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

/// A whole stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) events: Vec<Event>,
    /// How many events have gone out once the first content delta has.
    pub(crate) first_delta: usize,
    /// What the complete answer costs.
    pub(crate) total: Usage,
}

/// Input that one web search adds while it runs.
const SEARCH_TOKENS: u64 = 1_000;

/// An event before its cost is known.
struct Draft {
    data: Value,
    output_bytes: usize,
    delta: bool,
    search: bool,
}

impl Draft {
    fn plain(data: Value) -> Self {
        Self { data, output_bytes: 0, delta: false, search: false }
    }

    fn delta(index: usize, delta: Value, output_bytes: usize) -> Self {
        let data = json!({ "type": "content_block_delta", "index": index, "delta": delta });
        Self { data, output_bytes, delta: true, search: false }
    }
}

pub(crate) fn stream(ask: &Ask, reply: &Reply, id: &str, start: &Usage) -> Stream {
    let drafts = drafts(ask, reply);
    let mut meter = Meter::new(ask, start, &drafts);
    let mut events = vec![meter.event(message_start(ask, id, start))];
    let mut first_delta = None;
    for (index, draft) in drafts.into_iter().enumerate() {
        meter.count(&draft);
        if draft.delta {
            // message_start is an event too
            first_delta.get_or_insert(index + 2);
        }
        events.push(meter.event(draft.data));
    }
    let first_delta = first_delta.unwrap_or(events.len());
    let wire = &ask.directives.wire;
    for _ in 1..wire.message_deltas {
        events.push(meter.event(message_delta(ask, reply, &meter.used, true)));
    }
    meter.end(ask, reply);
    let total = meter.used.clone();
    if !wire.no_final {
        events.push(meter.event(message_delta(ask, reply, &total, false)));
        if !wire.no_stop {
            events.push(meter.event(json!({ "type": "message_stop" })));
        }
    }
    Stream { events, first_delta, total }
}

/// Adds up what the call costs while it goes on.
struct Meter {
    used: Usage,
    bytes: usize,
    deltas: u64,
    all_deltas: u64,
    output: Option<u64>,
    growth: (u64, u64),
}

impl Meter {
    fn new(ask: &Ask, start: &Usage, drafts: &[Draft]) -> Self {
        let cost = &ask.directives.cost;
        let provisional = if ask.max_tokens == 0 { 0 } else { 1 };
        Self {
            used: Usage { output_tokens: cost.output.unwrap_or(1).min(provisional), ..start.clone() },
            bytes: 0,
            deltas: 0,
            all_deltas: u64::try_from(drafts.iter().filter(|draft| draft.delta).count()).unwrap_or(u64::MAX),
            output: cost.output,
            growth: (cost.usage_growth, cost.cache_growth),
        }
    }

    fn count(&mut self, draft: &Draft) {
        self.bytes += draft.output_bytes;
        if draft.search {
            self.used.web_search_requests += 1;
            self.used.input_tokens += SEARCH_TOKENS;
        }
        if draft.delta {
            self.deltas += 1;
            self.grow();
            self.used.output_tokens = match self.output {
                Some(output) => output.saturating_mul(self.deltas).div_ceil(self.all_deltas.max(1)).min(output),
                None => tokens(self.bytes).max(1),
            };
        }
    }

    /// The input grows once, while the answer is on its way.
    fn grow(&mut self) {
        let (input, cache) = std::mem::take(&mut self.growth);
        self.used.input_tokens += input;
        self.used.cache_write_5m_tokens += cache;
    }

    fn end(&mut self, ask: &Ask, reply: &Reply) {
        self.grow();
        self.used.output_tokens = match self.output {
            Some(output) => output,
            None if ask.max_tokens == 0 => 0,
            None => reply.tokens(),
        };
    }

    fn event(&self, data: Value) -> Event {
        Event { data, used: self.used.clone() }
    }
}

fn message_start(ask: &Ask, id: &str, start: &Usage) -> Value {
    let mut message = message(ask, id);
    if !ask.directives.wire.no_usage {
        // The real API writes a small number here, whatever follows.
        message["usage"] = figures::full(start, 1, None);
    }
    json!({ "type": "message_start", "message": message })
}

/// A message that has nothing in it yet.
pub(crate) fn message(ask: &Ask, id: &str) -> Value {
    json!({
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": ask.directives.say.model_echo.as_ref().unwrap_or(&ask.model_name),
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "stop_details": null,
        "container": null,
    })
}

fn message_delta(ask: &Ask, reply: &Reply, used: &Usage, early: bool) -> Value {
    let reason = if early { Value::Null } else { json!(reply.stop_reason) };
    let details = if early { &Value::Null } else { &reply.stop_details };
    let mut event = json!({
        "type": "message_delta",
        "delta": { "stop_reason": reason, "stop_sequence": null, "stop_details": details, "container": null },
    });
    let wire = &ask.directives.wire;
    if !(wire.no_usage || wire.no_final_usage) {
        event["usage"] = figures::cumulative(used, reply.thinking_tokens());
    }
    event
}

fn drafts(ask: &Ask, reply: &Reply) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut index = 0;
    for block in &reply.blocks {
        index = block_drafts(ask, block, index, &mut drafts);
        if drafts.len() == 1 || index == 1 {
            ping_once(&mut drafts);
        }
    }
    if ask.directives.wire.unknown_event {
        drafts.push(Draft::plain(
            json!({ "type": "event_of_the_future", "note": "clients ignore what they do not know" }),
        ));
    }
    drafts
}

/// The real API sends a ping right after the first block has begun.
fn ping_once(drafts: &mut Vec<Draft>) {
    if !drafts.iter().any(|draft| draft.data["type"] == "ping") && !drafts.is_empty() {
        drafts.insert(1, Draft::plain(json!({ "type": "ping" })));
    }
}

/// Adds a block's events; returns the next block's index.
fn block_drafts(ask: &Ask, block: &Block, index: usize, drafts: &mut Vec<Draft>) -> usize {
    drafts.push(Draft::plain(start(index, opening(block))));
    match block {
        Block::Thinking { words, signature } => {
            for piece in pieces(words, None) {
                drafts.push(Draft::delta(index, json!({ "type": "thinking_delta", "thinking": piece }), piece.len()));
            }
            drafts.push(Draft::delta(index, json!({ "type": "signature_delta", "signature": signature }), 0));
        }
        Block::Text(text) => {
            for piece in pieces(text, ask.directives.say.deltas) {
                drafts.push(Draft::delta(index, json!({ "type": "text_delta", "text": piece }), piece.len()));
            }
        }
        Block::ToolUse { input, .. } => input_drafts(index, &input.to_string(), drafts),
        Block::Search { id, query } => {
            input_drafts(index, &search_input(query).to_string(), drafts);
            drafts.push(Draft::plain(stop(index)));
            let found = Draft::plain(start(index + 1, search_result(id)));
            drafts.push(Draft { search: true, ..found });
            drafts.push(Draft::plain(stop(index + 1)));
            return index + 2;
        }
        Block::Unknown => {
            drafts.push(Draft::delta(index, json!({ "type": "delta_of_the_future", "note": "…" }), 0));
        }
    }
    drafts.push(Draft::plain(stop(index)));
    index + 1
}

/// A tool's input comes as an empty piece and then in slices that are no JSON by themselves.
fn input_drafts(index: usize, input: &str, drafts: &mut Vec<Draft>) {
    drafts.push(Draft::delta(index, json!({ "type": "input_json_delta", "partial_json": "" }), 0));
    for piece in pieces(input, Some(input.len().div_ceil(8))) {
        drafts.push(Draft::delta(index, json!({ "type": "input_json_delta", "partial_json": piece }), piece.len()));
    }
}

fn start(index: usize, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn stop(index: usize) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

/// A block as it begins: without what its deltas bring.
fn opening(block: &Block) -> Value {
    let mut whole = super::play::whole(block).into_iter().next().unwrap_or_default();
    for (field, nothing) in
        [("text", json!("")), ("thinking", json!("")), ("signature", json!("")), ("input", json!({}))]
    {
        if whole.get(field).is_some() {
            whole[field] = nothing;
        }
    }
    whole
}

/// What a search found.
pub(crate) fn search_result(id: &str) -> Value {
    json!({
        "type": "web_search_tool_result",
        "tool_use_id": id,
        "content": [{
            "type": "web_search_result",
            "title": "A page that does not exist",
            "url": "https://example.com/",
            "encrypted_content": "c3RhbmQtaW4=",
            "page_age": null,
        }],
    })
}

/// Cuts a text into so many pieces, or after every word.
fn pieces(text: &str, count: Option<usize>) -> Vec<&str> {
    let Some(count) = count.filter(|count| *count > 0) else { return text.split_inclusive(' ').collect() };
    let mut pieces = Vec::with_capacity(count);
    let mut from = 0;
    for piece in 1..=count {
        let to = text.floor_char_boundary(text.len() * piece / count);
        pieces.push(&text[from..to]);
        from = to;
    }
    pieces
}
