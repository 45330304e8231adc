//! An answer as the events of a stream, each with what the call has cost by then.

use purser::usage::Usage;
use serde_json::{Value, json};

use super::{
    blocks::{self, Draft},
    figures,
    prompt::tokens,
    reply::Reply,
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
        index = blocks::drafts(ask, block, index, &mut drafts);
    }
    if !drafts.is_empty() {
        // The real API sends a ping right after the first block has begun.
        drafts.insert(1, Draft::plain(json!({ "type": "ping" })));
    }
    if ask.directives.wire.unknown_event {
        let note = "clients ignore what they do not know";
        drafts.push(Draft::plain(json!({ "type": "event_of_the_future", "note": note })));
    }
    drafts
}
