use proptest::prelude::*;

use super::*;

fn finish() -> Finish {
    Finish {
        call_id: "c".into(),
        model: "m".into(),
        usage: json!({}),
        usage_source: "provider",
        cost_nanousd: 5,
        cost_usd: "0.000000005".into(),
        limits: json!([]),
    }
}

/// The SDK's own ordering rules.
fn check(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let chunks: Vec<Value> = text
        .split("\n\n")
        .filter_map(|block| block.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let mut open = Vec::new();
    for chunk in &chunks {
        let kind = chunk["type"].as_str().unwrap();
        let id = chunk["id"].as_str().unwrap_or_default().to_owned();
        match kind {
            "text-start" | "reasoning-start" => open.push((kind.replace("-start", ""), id)),
            "text-delta" | "reasoning-delta" => assert!(open.contains(&(kind.replace("-delta", ""), id))),
            "text-end" | "reasoning-end" => {
                let at = open.iter().position(|one| *one == (kind.replace("-end", ""), id.clone()));
                open.remove(at.unwrap());
            }
            "finish" | "error" => assert!(open.is_empty()),
            "start" | "start-step" | "finish-step" | "message-metadata" => {}
            other => panic!("{other} is not for every client"),
        }
    }
    let kinds: Vec<_> = chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["start", "start-step"]);
    assert!(matches!(kinds[kinds.len() - 1], "finish" | "error"), "nothing follows the end");
    let ends = chunks.iter().filter(|chunk| chunk["type"] == "finish" || chunk["type"] == "error").count();
    assert_eq!(ends, 1);
    assert!(bytes.ends_with(b"data: [DONE]\n\n"));
    chunks
}

#[test]
fn text_and_reasoning_are_translated_and_the_figures_come_last() {
    let mut stream = UiStream::default();
    let mut out = stream.start("msg", &json!({"call_id":"c"}));
    for data in [
        r#"{"type":"message_start","message":{}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\"Hi\"\n"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"new_delta","x":[1]}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}"#,
    ] {
        stream.event(data, &mut out);
    }
    out.extend(stream.finish(&finish()));
    let chunks = check(&out);
    let kinds: Vec<_> = chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds.join(" "),
        "start start-step reasoning-start reasoning-delta reasoning-end text-start text-delta text-end finish-step finish"
    );
    assert_eq!(chunks[6]["delta"], "\"Hi\"\n");
    assert_eq!(
        (&chunks[9]["finishReason"], &chunks[9]["messageMetadata"]["cost_nanousd"]),
        (&json!("stop"), &json!(5))
    );
}

#[test]
fn text_goes_out_as_the_json_that_it_came_as() {
    let (mut stream, mut out) = (UiStream::default(), Vec::new());
    for data in [
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"text","text":"A"}}"#,
        r#"{"index":3,"delta":{"text": "\u00e9\ud83e\udd80é" ,"type":"text_delta"},"type":"content_block_delta"}"#,
        r#"{"type":"content_block_stop","index":3}"#,
    ] {
        stream.event(data, &mut out);
    }
    let expected = r#"data: {"type":"text-start","id":"3"}
data: {"type":"text-delta","id":"3","delta":"A"}
data: {"type":"text-delta","id":"3","delta":"\u00e9\ud83e\udd80é"}
data: {"type":"text-end","id":"3"}
"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected.replace('\n', "\n\n"));
}

#[test]
fn what_is_unknown_or_empty_says_nothing_and_harms_nothing() {
    let (mut stream, mut out) = (UiStream::default(), Vec::new());
    for data in [
        "no json",
        "[]",
        r#"{"type":"novel","index":"x"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"of no text"}}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"signature_delta","signature":"s"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":{"novel":1}}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"citations_delta","citation":{"text":"no"}}}"#,
        r#"{"type":"content_block_delta","index":9,"delta":{"type":"text_delta","text":"of nothing begun"}}"#,
    ] {
        stream.event(data, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "", "{data}");
    }
}

#[test]
fn a_block_that_takes_the_place_of_an_open_one_closes_it() {
    for kind in ["text", "thinking", "novel"] {
        let mut stream = UiStream::default();
        let mut out = stream.start("m", &json!({}));
        for kind in ["text", kind] {
            let block = json!({"type": kind, "text": "a", "thinking": "a"});
            stream.event(
                &json!({"type": "content_block_start", "index": 0, "content_block": block}).to_string(),
                &mut out,
            );
        }
        out.extend(stream.finish(&finish()));
        check(&out);
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
        ("of_tomorrow", "other"),
    ] {
        assert_eq!(finish_reason(Some(stop)), finish);
    }
}

proptest! {
    #[test]
    fn any_order_and_any_cut_give_a_valid_stream(
        events in prop::collection::vec((0..9_usize, 0..3_usize, "[a-z\"\\\\é\n]{0,5}"), 0..40), fails in any::<bool>(),
    ) {
        let mut stream = UiStream::default();
        let mut out = stream.start("m", &json!({}));
        for (kind, index, text) in events {
            let event = match kind {
                0 => json!({"type":"content_block_start","index":index,"content_block":{"type":"text","text":text}}),
                1 => json!({"type":"content_block_start","index":index,"content_block":{"type":"thinking","thinking":text}}),
                2 => json!({"type":"content_block_delta","index":index,"delta":{"type":"text_delta","text":text}}),
                3 => json!({"type":"content_block_delta","index":index,"delta":{"type":"thinking_delta","thinking":text}}),
                4 => json!({"type":"content_block_start","index":index,"content_block":{"type":"tool_use","text":text}}),
                5 => json!({"type":"message_delta","delta":{"stop_reason":text}}),
                6 => json!({"type":text,"index":index}),
                _ => json!({"type":"content_block_stop","index":index}),
            };
            stream.event(&event.to_string(), &mut out);
        }
        out.extend(if fails { stream.error("It failed.", Some(&finish())) } else { stream.finish(&finish()) });
        check(&out);
    }
}
