use proptest::prelude::*;
use serde_json::json;

use super::*;

fn wire(events: &[Value]) -> String {
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

fn stream() -> Vec<Value> {
    vec![
        json!({"type":"message_start","message":{"id":"msg_1","model":"claude-haiku-5-5","content":[],"stop_reason":null,
            "usage":{"input_tokens":25,"cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":1}}}),
        json!({"type":"ping"}),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hmm."}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}),
        json!({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello wörld"}}),
        json!({"type":"tomorrow","x":1}),
        json!({"type":"content_block_stop","index":1}),
        json!({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}),
        json!({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}),
        json!({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}),
        json!({"type":"content_block_stop","index":2}),
        json!({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15}}),
        json!({"type":"message_stop"}),
    ]
}

fn observe(text: &str) -> Observer {
    let mut observer = Observer::default();
    observer.push(text.as_bytes(), |_| ()).unwrap();
    observer
}

#[test]
fn a_whole_stream_gives_the_final_usage_and_the_blocks() {
    let observer = observe(&wire(&stream()));
    let (usage, source) = observer.settled_usage();
    assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.output_tokens), (25, 100, 15));
    assert_eq!((source, observer.outcome()), (Source::Provider, Outcome::Completed));
    assert_eq!(
        observer.content(),
        [
            json!({"type":"thinking","thinking":"Hmm.","signature":"sig"}),
            json!({"type":"text","text":"Hello wörld"}),
            json!({"type":"tool_use","id":"t","name":"f","input":{"a":1}}),
        ]
    );
    assert_eq!((observer.text().as_str(), observer.stop_reason()), ("Hello wörld", Some("tool_use")));
}

#[test]
fn a_stream_cut_anywhere_is_charged_what_was_seen() {
    let events = stream();
    for cut in 1..events.len() - 1 {
        let observer = observe(&wire(&events[..cut]));
        let (usage, source) = observer.settled_usage();
        assert_eq!(usage.input_tokens, 25, "after event {cut}");
        assert_eq!(observer.outcome(), Outcome::Cut);
        if cut < 15 {
            assert_eq!(source, Source::Counted);
            assert!(usage.output_tokens >= observer.output_bytes.div_ceil(4));
        }
    }
    let nothing = observe("");
    assert!(!nothing.has_started() && !nothing.is_billed());
}

#[test]
fn a_refusal_before_output_is_not_billed_and_one_in_midstream_is() {
    let refusal = |text: &str| {
        wire(&[
            json!({"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}),
            json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
            json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":text}}),
            json!({"type":"message_delta","delta":{"stop_reason":"refusal"},"usage":{"output_tokens":3}}),
            json!({"type":"message_stop"}),
        ])
    };
    let before = observe(&refusal(""));
    assert_eq!((before.outcome(), before.is_billed()), (Outcome::Refused, false));
    let midstream = observe(&refusal("I was about"));
    assert_eq!((midstream.outcome(), midstream.is_billed()), (Outcome::Completed, true));
}

#[test]
fn an_error_event_after_output_is_a_failure_that_is_charged() {
    let mut events = stream();
    events.truncate(8);
    events.push(json!({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}));
    let observer = observe(&wire(&events));
    assert_eq!((observer.outcome(), observer.error_type()), (Outcome::Failed, Some("overloaded_error")));
    assert!(observer.is_billed());
    assert_eq!(observer.settled_usage().0.output_tokens, 4);
}

#[test]
fn a_whole_body_is_read_by_the_same_rules() {
    let body = json!({"id":"msg_1","model":"claude-haiku-5-5","stop_reason":"end_turn","content":[{"type":"text","text":"Hi"}],
        "usage":{"input_tokens":4,"output_tokens":2}});
    let mut observer = Observer::default();
    observer.whole(body.to_string().as_bytes()).unwrap();
    assert_eq!((observer.outcome(), observer.settled_usage().1), (Outcome::Completed, Source::Provider));
    assert!(Observer::default().whole(b"<html>").is_err());
}

#[test]
fn writing_with_a_token_a_character_is_not_counted_at_a_third_of_it() {
    let mut events = stream();
    events.truncate(7);
    events.push(
        json!({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"你好世界".repeat(100)}}),
    );
    // 400 characters of three bytes each, and "Hmm." before them.
    assert_eq!(observe(&wire(&events)).settled_usage().0.output_tokens, 301);
}

#[test]
fn a_figure_of_a_shape_of_tomorrow_does_not_hide_the_others() {
    let usage = json!({"input_tokens":25,"output_tokens":3,"cache_creation":7,"iterations":{"n":1},"speed":{"x":1},
        "server_tool_use":[],"cache_read_input_tokens":"many"});
    let start = json!({"type":"message_start","message":{"id":"m","model":"x","content":[],"usage":usage}});
    let observer = observe(&wire(&[start]));
    assert!(observer.has_started());
    assert_eq!((observer.settled_usage().0.input_tokens, observer.settled_usage().0.output_tokens), (25, 3));
}

fn any_event() -> impl Strategy<Value = Value> {
    let tokens = || prop_oneof![Just(Value::Null), (0..5_000_u64).prop_map(Value::from)];
    prop_oneof![
        "[a-zä世 \\n]{0,40}"
            .prop_map(|text| json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":text}})),
        "[a-z]{0,40}".prop_map(
            |text| json!({"type":"content_block_delta","index":9,"delta":{"type":"of_tomorrow","text":text}})
        ),
        (tokens(), tokens()).prop_map(|(output, input)| json!({"type":"message_delta","delta":{"stop_reason":null},
            "usage":{"output_tokens":output,"input_tokens":input,"cache_read_input_tokens":input}})),
        Just(json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})),
        Just(json!({"type":"content_block_stop","index":0})),
        Just(json!({"type":"ping"})),
        Just(json!({"type":"error","error":{"type":"overloaded_error"}})),
    ]
}

/// Text that was certainly output: that of known deltas of a block that has begun.
fn certain_bytes(events: &[Value]) -> u64 {
    let begun = events.iter().position(|event| event["type"] == "content_block_start").unwrap_or(events.len());
    let texts = events[begun..].iter().filter(|event| event["index"] == 0);
    texts.filter_map(|event| event["delta"]["text"].as_str()).map(|text| text.len() as u64).sum()
}

proptest! {
    #[test]
    fn usage_is_never_below_what_was_seen_and_no_split_changes_it(
        events in prop::collection::vec(any_event(), 0..30),
        cuts in prop::collection::vec(0..4_000_usize, 0..20),
    ) {
        let start = json!({"type":"message_start","message":{"usage":{"input_tokens":7,"output_tokens":2}}});
        let all = [vec![start], events.clone()].concat();
        let text = wire(&all);
        let whole = observe(&text);
        let (usage, source) = whole.settled_usage();
        prop_assert_eq!(source, Source::Counted);
        prop_assert!(usage.output_tokens >= certain_bytes(&events).div_ceil(4));
        let last = |name: &str| all.iter().rev().find_map(|event| {
            let usage = event.get("usage").or_else(|| event["message"].get("usage"))?;
            usage[name].as_u64()
        });
        prop_assert!(usage.output_tokens >= last("output_tokens").unwrap_or(0));
        prop_assert_eq!(usage.input_tokens, last("input_tokens").unwrap_or(0));

        let mut split = Observer::default();
        let mut cuts: Vec<_> = cuts.into_iter().map(|at| at.min(text.len())).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            split.push(&text.as_bytes()[pair[0]..pair[1]], |_| ()).unwrap();
        }
        prop_assert_eq!(split.settled_usage(), (usage, source));
        prop_assert_eq!(split.content(), whole.content());
    }

    #[test]
    fn arbitrary_events_never_panic(data in "\\PC{0,80}", kind in "message_start|content_block_delta|message_delta|error") {
        observe(&format!("data: {{\"type\":\"{kind}\",\"index\":3,\"delta\":{data}}}\n\ndata: {data}\n\n")).settled_usage();
    }
}
