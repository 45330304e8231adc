//! A log line as an event of Sentry.

use std::borrow::Cow;

use sentry::{Level, protocol::Event};
use serde_json::{Map, Value};

use super::scrub::scrub;

/// Fields whose text is one of a few words, or an id of ours. Any other text is scrubbed.
const WORDS: [&str; 14] = [
    "route",
    "method",
    "code",
    "event",
    "of",
    "plan",
    "model",
    "outcome",
    "source",
    "degraded",
    "version",
    "policy",
    "request_id",
    "call_id",
];
/// What events can be searched by.
const TAGS: [&str; 9] = ["route", "method", "status", "code", "event", "of", "plan", "model", "request_id"];

/// Lines of one kind are one issue: the route and its code, or the event.
pub(super) fn kind(line: &Map<String, Value>) -> String {
    let text = |field: &str| line.get(field).and_then(Value::as_str);
    if let Some(event) = text("event") {
        return text("of").or_else(|| text("at")).map_or_else(|| event.to_owned(), |of| format!("{event}: {of}"));
    }
    // Work behind an answer that failed says so in a field of its own.
    let failed = line.keys().find(|field| field.ends_with("_failed")).map(String::as_str);
    let what = text("code").or(failed).unwrap_or("fault");
    format!("{}: {what}", text("route").unwrap_or("purser"))
}

/// The event. `left_out` events of its kind were not sent since the last one.
pub(super) fn of(line: &Map<String, Value>, left_out: u64) -> Event<'static> {
    let kind = kind(line);
    let mut event = Event::new();
    event.level = Level::Error;
    event.logger = Some("purser".to_owned());
    event.transaction = line.get("route").and_then(Value::as_str).map(str::to_owned);
    event.fingerprint = Cow::Owned(vec![Cow::Owned(kind.clone())]);
    event.message = Some(kind);
    for (field, value) in line {
        let value = clean(field, value);
        if TAGS.contains(&field.as_str()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            event.tags.insert(field.clone(), text);
        }
        // Sentry blanks what is called "token", and these are numbers of tokens.
        event.extra.insert(field.replace("tokens", "count"), value);
    }
    if left_out > 0 {
        event.extra.insert("left_out".to_owned(), left_out.into());
    }
    event
}

fn clean(field: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if WORDS.contains(&field) => Value::String(text.chars().take(100).collect()),
        Value::String(text) => Value::String(scrub(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        // No line has any.
        Value::Array(_) | Value::Object(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn lines_of_one_kind_are_one_issue() {
        let kinds = [
            json!({ "route": "chat", "code": "internal", "error": "a", "status": 500 }),
            json!({ "route": "chat", "status": 200, "booking_failed": "b" }),
            json!({ "event": "degraded_in", "of": "limiter", "error": "c" }),
            json!({ "event": "panic", "at": "lib/src/x.rs:1:2" }),
        ]
        .map(|value| kind(&line(&value)));
        assert_eq!(
            kinds,
            ["chat: internal", "chat: booking_failed", "degraded_in: limiter", "panic: lib/src/x.rs:1:2"]
        );
    }

    #[test]
    fn an_event_carries_figures_and_words_and_no_text_that_is_not_scrubbed() {
        let event = of(
            &line(&json!({
                "route": "chat", "status": 500, "code": "internal", "input_tokens": 12, "request_id": "r",
                "error": "no row for ann@example.com with Bearer eyJhbGciOi.abc.def", "odd": ["a prompt"],
            })),
            3,
        );
        let text = serde_json::to_string(&event).unwrap();
        for secret in ["ann@", "eyJ", "a prompt"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!((event.tags["status"].as_str(), &event.extra["input_count"]), ("500", &json!(12)));
        assert_eq!(event.extra["left_out"], json!(3));
    }
}
