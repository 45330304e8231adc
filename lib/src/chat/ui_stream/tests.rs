use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::usage::{Source, Usage};

/// What an AI SDK client would make of a stream, or why it would throw. The rules of the parsers of `ai` 5 to 7.
#[derive(Debug, Default)]
struct Client {
    text: String,
    reasoning: String,
    metadata: Value,
    finish: Option<String>,
    error: Option<String>,
}

const TYPES: &[&str] = &[
    "start",
    "start-step",
    "text-start",
    "text-delta",
    "text-end",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
    "finish-step",
    "message-metadata",
    "finish",
    "error",
];

fn client(bytes: &[u8]) -> Client {
    let text = std::str::from_utf8(bytes).unwrap();
    let (body, rest) = text.split_once("data: [DONE]\n\n").expect("the stream has no end");
    assert_eq!(rest, "", "something follows the end");
    let mut client = Client { metadata: json!({}), ..Client::default() };
    let mut open: HashMap<String, &str> = HashMap::new();
    let mut order = Vec::new();
    for event in body.split_terminator("\n\n").filter(|event| !event.starts_with(':')) {
        let chunk: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        let kind = chunk["type"].as_str().unwrap().to_owned();
        assert!(TYPES.contains(&kind.as_str()), "no client knows {kind}");
        assert!(client.finish.is_none() && client.error.is_none(), "{kind} after the end");
        if let Some((part, step)) = kind.rsplit_once('-').filter(|(part, _)| ["text", "reasoning"].contains(part)) {
            let id = chunk["id"].as_str().unwrap().to_owned();
            let part = if part == "text" { "text" } else { "reasoning" };
            match step {
                "start" => assert_eq!(open.insert(id, part), None, "opened twice"),
                "delta" => {
                    assert_eq!(open.get(&id), Some(&part), "a delta of nothing open");
                    let said = chunk["delta"].as_str().unwrap();
                    if part == "text" { client.text.push_str(said) } else { client.reasoning.push_str(said) }
                }
                _ => assert_eq!(open.remove(&id), Some(part), "the end of nothing open"),
            }
        } else {
            assert!(open.is_empty(), "{kind} while a part is open");
            if let Some(metadata) = chunk["messageMetadata"].as_object() {
                client.metadata.as_object_mut().unwrap().extend(metadata.clone());
            }
            client.finish = chunk["finishReason"].as_str().map(Into::into);
            client.error = chunk["errorText"].as_str().map(Into::into);
            order.push(kind);
        }
    }
    let order: Vec<_> = order.iter().map(String::as_str).filter(|kind| *kind != "message-metadata").collect();
    let end = if client.error.is_some() { "error" } else { "finish" };
    assert_eq!(order, ["start", "start-step", "finish-step", end]);
    client
}

fn run<'e>(events: impl IntoIterator<Item = &'e [u8]>) -> Client {
    let (call_id, usage) = (CallId("call".into()), Usage { output_tokens: 3, ..Usage::default() });
    let limits = [crate::chat::Left::new("hour", 5, 4, Some(1))];
    let mut out = Vec::new();
    let start = Start { message_id: "msg", call_id: &call_id, model: "asked", conversation_id: "c" };
    let mut stream = UiStream::open(&start, &mut out);
    for event in events {
        stream.event(event, &mut out);
        out.extend_from_slice(HEARTBEAT);
    }
    let (source, cost_usd, limits) = (Source::Provider, "0.00000042", Some(&limits[..]));
    let bill =
        Bill { call_id: &call_id, model: "answered", usage: &usage, source, cost_nanousd: 420, cost_usd, limits };
    stream.close(Some(&bill), &mut out);
    client(&out)
}

fn run_text(events: &str) -> Client {
    run(events.lines().map(|line| line.trim().as_bytes()))
}

const ANSWER: &str = r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":1,"output_tokens":1}}}
    {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}
    {"type":"ping"}
    {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}
    {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}
    {"type":"content_block_stop","index":0}
    {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
    {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Say \"hi\"\n"}}
    {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\u00e9\ud83e\udd80"}}
    {"type":"content_block_stop","index":1}
    {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}
    {"type":"message_stop"}"#;

#[test]
fn an_answer_arrives_whole() {
    let client = run_text(ANSWER);
    assert_eq!((client.text.as_str(), client.reasoning.as_str()), ("Say \"hi\"\né🦀", "Hm."));
    assert_eq!((client.finish.as_deref(), client.error), (Some("stop"), None));
    let metadata = &client.metadata;
    assert_eq!((&metadata["call_id"], &metadata["model"]), (&json!("call"), &json!("answered")));
    assert_eq!((&metadata["conversation_id"], &metadata["cost_nanousd"]), (&json!("c"), &json!(420)));
    assert_eq!((&metadata["cost_usd"], &metadata["usage"]["output_tokens"]), (&json!("0.00000042"), &json!(3)));
    assert_eq!(metadata["limits"], json!([{"policy": "hour", "limit": 5, "remaining": 4, "reset_s": 1}]));
}

#[test]
fn the_bytes_are_those_of_the_protocol() {
    let (call_id, mut out) = (CallId("k".into()), Vec::new());
    let start = Start { message_id: "m\"1", call_id: &call_id, model: "x", conversation_id: "c" };
    let mut stream = UiStream::open(&start, &mut out);
    for event in ANSWER.lines().skip(6) {
        stream.event(event.trim().as_bytes(), &mut out);
    }
    stream.close(None, &mut out);
    let expected = r#"data: {"type":"start","messageId":"m\"1","messageMetadata":{"call_id":"k","model":"x","conversation_id":"c"}}
data: {"type":"start-step"}
data: {"type":"text-start","id":"1"}
data: {"type":"text-delta","id":"1","delta":"Say \"hi\"\n"}
data: {"type":"text-delta","id":"1","delta":"\u00e9\ud83e\udd80"}
data: {"type":"text-end","id":"1"}
data: {"type":"finish-step"}
data: {"type":"finish","finishReason":"stop"}
data: [DONE]
"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected.replace('\n', "\n\n"));
}

#[test]
fn every_cut_leaves_a_valid_stream_that_says_so() {
    let events: Vec<&str> = ANSWER.lines().collect();
    for length in 0..events.len() {
        let client = run_text(&events[..length].join("\n"));
        // Once the reason of the end is known, the answer is whole.
        assert_eq!(client.error.is_none(), length > 10, "cut after {length}");
        assert_eq!(client.metadata["cost_nanousd"], 420, "what was spent is told");
    }
}

#[test]
fn an_error_event_is_masked_and_ends_the_stream() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"secret host"}}"#;
    let events: Vec<&str> = ANSWER.lines().take(8).chain([error]).chain(ANSWER.lines().skip(8)).collect();
    let client = run_text(&events.join("\n"));
    assert_eq!(client.error.as_deref(), Some("Claude is overloaded. Try again in a moment."));
    assert_eq!((client.text.as_str(), client.finish), ("Say \"hi\"\n", None));
    for kind in ["api_error", "invalid_request_error", "rate_limit_error", "timeout_error", "novel_error"] {
        let client = run_text(&json!({"type": "error", "error": {"type": kind, "message": "secret"}}).to_string());
        assert!(!client.error.unwrap().contains("secret"));
    }
}

#[test]
fn stop_reasons_are_mapped() {
    for (stop, finish) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool-calls"),
        ("refusal", "content-filter"),
        ("compaction", "other"),
    ] {
        let event = json!({"type": "message_delta", "delta": {"stop_reason": stop}}).to_string();
        assert_eq!(run_text(&event).finish.as_deref(), Some(finish), "{stop}");
    }
}

#[test]
fn what_is_unknown_is_left_out_and_harms_nothing() {
    let client = run_text(
        r#"{"type":"novel_event","index":"x"}
        {"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}
        {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"not text"}}
        {"type":"content_block_stop","index":0}
        {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}
        {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{"}}
        {"type":"content_block_start","index":2,"content_block":{"type":"text","text":"A"}}
        {"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"text":"no"}}}
        {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":{"novel":1}}}
        {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"B"}}
        not json
        {"type":"message_stop"}"#,
    );
    assert_eq!((client.text.as_str(), client.finish.as_deref(), client.error), ("AB", Some("other"), None));
}

#[test]
fn an_empty_block_never_shows() {
    let (call_id, mut out) = (CallId("k".into()), Vec::new());
    let start = Start { message_id: "m", call_id: &call_id, model: "x", conversation_id: "c" };
    let mut stream = UiStream::open(&start, &mut out);
    for event in ANSWER.lines().filter(|event| !event.contains("thinking_delta")) {
        stream.event(event.trim().as_bytes(), &mut out);
    }
    assert!(!String::from_utf8(out).unwrap().contains("reasoning"));
}

#[test]
fn the_first_failure_stays() {
    let (call_id, mut out) = (CallId("k".into()), Vec::new());
    let start = Start { message_id: "m", call_id: &call_id, model: "x", conversation_id: "c" };
    let mut stream = UiStream::open(&start, &mut out);
    stream.fail("first");
    stream.fail("second");
    stream.close(None, &mut out);
    assert_eq!(client(&out).error.as_deref(), Some("first"));
}

/// Events of every kind with few indices, so that they collide; some are cut in the middle.
fn event() -> impl Strategy<Value = Vec<u8>> {
    let index = 0_u64..3;
    let text = "[a-z\"\\\\\n\u{e9}]{0,4}";
    let block = prop_oneof![Just("text"), Just("thinking"), Just("redacted_thinking"), Just("tool_use"), Just("new")];
    let delta = prop_oneof![Just("text_delta"), Just("thinking_delta"), Just("signature_delta"), Just("new_delta")];
    let reason = prop_oneof![Just(json!("end_turn")), Just(json!(null)), Just(json!("new")), Just(json!(7))];
    let event = prop_oneof![
        4 => (index.clone(), block, text).prop_map(|(index, kind, text)| json!({"type": "content_block_start",
            "index": index, "content_block": {"type": kind, "text": text, "thinking": text}})),
        8 => (index.clone(), delta, text).prop_map(|(index, kind, text)| json!({"type": "content_block_delta",
            "index": index, "delta": {"type": kind, "text": text, "thinking": text}})),
        3 => index.prop_map(|index| json!({"type": "content_block_stop", "index": index})),
        1 => reason.prop_map(|reason| json!({"type": "message_delta", "delta": {"stop_reason": reason}})),
        1 => Just(json!({"type": "message_start", "message": {}})),
        1 => Just(json!({"type": "ping"})),
        1 => Just(json!({"type": "message_stop"})),
        1 => Just(json!({"type": "error", "error": {"type": "api_error", "message": "m"}})),
        1 => Just(json!({"type": "error"})),
        1 => Just(json!({"type": "content_block_delta", "index": -1})),
        1 => Just(json!([])),
    ];
    (event, 0_usize..400).prop_map(|(event, cut)| {
        let mut bytes = event.to_string().into_bytes();
        if cut < 20 {
            bytes.truncate(cut);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_order_of_events_gives_a_valid_stream(events in proptest::collection::vec(event(), 0..40)) {
        run(events.iter().map(Vec::as_slice));
    }
}
