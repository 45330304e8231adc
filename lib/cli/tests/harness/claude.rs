//! Questions to the stand-in, and reading what it answers.

use purser::usage::{Speed, Usage};
use purser_cli::standin::{Options, Standin};
use serde_json::{Value, json};

use super::{Coming, Reply, open, request, send};

pub(crate) const HEADERS: [(&str, &str); 3] =
    [("x-api-key", "a-key"), ("anthropic-version", "2026-10-21"), ("content-type", "application/json")];

pub(crate) fn start() -> Standin {
    Standin::start(Options::default()).unwrap()
}

pub(crate) fn ask(text: &str) -> Value {
    json!({ "model": "claude-sonnet-5", "max_tokens": 1000, "messages": [{ "role": "user", "content": text }] })
}

pub(crate) fn streaming(text: &str) -> Value {
    let mut body = ask(text);
    body["stream"] = true.into();
    body
}

pub(crate) async fn post(standin: &Standin, body: &Value) -> Reply {
    send(standin.address(), request("POST", "/v1/messages", &HEADERS, body.to_string())).await
}

pub(crate) async fn begin(standin: &Standin, body: &Value) -> Coming {
    open(standin.address(), request("POST", "/v1/messages", &HEADERS, body.to_string())).await.unwrap()
}

/// The events of a stream; each name equals its type.
pub(crate) fn events(text: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for event in text.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        events.push(data);
    }
    events
}

pub(crate) fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    kinds.dedup();
    kinds
}

pub(crate) async fn stream(standin: &Standin, text: &str) -> Vec<Value> {
    let (text, end) = begin(standin, &streaming(text)).await.rest().await;
    end.unwrap();
    events(&text)
}

/// The official rule: message_start is the base, later counters overwrite, null ones do not, nothing is added.
pub(crate) fn merged(events: &[Value]) -> Value {
    let mut usage = events[0]["message"]["usage"].clone();
    for event in events.iter().filter(|event| event["type"] == "message_delta") {
        for (name, value) in event["usage"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            usage[name] = value.clone();
        }
    }
    usage
}

pub(crate) fn usage(wire: &Value) -> Usage {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let total = count(&wire["cache_creation_input_tokens"]);
    let write_1h = count(&wire["cache_creation"]["ephemeral_1h_input_tokens"]);
    Usage {
        input_tokens: count(&wire["input_tokens"]),
        cache_write_5m_tokens: total - write_1h,
        cache_write_1h_tokens: write_1h,
        cache_read_tokens: count(&wire["cache_read_input_tokens"]),
        output_tokens: count(&wire["output_tokens"]),
        web_search_requests: count(&wire["server_tool_use"]["web_search_requests"]),
        web_fetch_requests: count(&wire["server_tool_use"]["web_fetch_requests"]),
        speed: if wire["speed"] == "fast" { Speed::Fast } else { Speed::Standard },
        inference_geo: wire["inference_geo"].as_str().map(str::to_owned),
        service_tier: wire["service_tier"].as_str().map(str::to_owned),
    }
}

pub(crate) fn text_of(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect()
}
