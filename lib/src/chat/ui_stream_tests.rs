use proptest::prelude::*;

use super::*;

pub(super) fn finish() -> Finish {
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

fn tell(stream: &mut UiStream, data: &str, out: &mut Vec<u8>) {
    if let Some(event) = StreamEvent::read(data) {
        stream.event(&event, out);
    }
}

/// The SDK's own ordering rules.
pub(super) fn check(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let chunks: Vec<Value> = text
        .split("\n\n")
        .filter_map(|block| block.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let (mut open, mut calls) = (Vec::new(), Vec::new());
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
            "tool-input-start" => {
                assert!(chunk["toolName"].is_string());
                calls.push(chunk["toolCallId"].clone());
            }
            "tool-input-delta" => assert!(calls.contains(&chunk["toolCallId"]) && chunk["inputTextDelta"].is_string()),
            "tool-input-available" => assert!(calls.contains(&chunk["toolCallId"]) && chunk.get("input").is_some()),
            "tool-input-error" => assert!(calls.contains(&chunk["toolCallId"]) && chunk["errorText"].is_string()),
            "tool-output-available" | "tool-output-error" => assert!(calls.contains(&chunk["toolCallId"])),
            "source-url" => assert!(chunk["sourceId"].is_string() && chunk["url"].is_string()),
            "source-document" => assert!(chunk["mediaType"].is_string() && chunk["title"].is_string()),
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
        tell(&mut stream, data, &mut out);
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

fn translated(events: &[&str]) -> Vec<Value> {
    let mut stream = UiStream::default();
    let mut out = stream.start("m", &json!({}));
    for data in events {
        tell(&mut stream, data, &mut out);
    }
    out.extend(stream.finish(&finish()));
    check(&out).into_iter().skip(2).collect()
}

#[test]
fn a_clients_tool_is_called_with_its_input_piece_by_piece() {
    let chunks = translated(&[
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"weather","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"c\": \"Z"}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\u00fcrich\"}"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"u","name":"cut","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"c"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#,
    ]);
    assert_eq!(chunks[0], json!({"type":"tool-input-start","toolCallId":"t","toolName":"weather"}));
    assert_eq!(chunks[1], json!({"type":"tool-input-delta","toolCallId":"t","inputTextDelta":"{\"c\": \"Z"}));
    let whole = json!({"type":"tool-input-available","toolCallId":"t","toolName":"weather","input":{"c":"Zürich"}});
    assert_eq!(chunks[3], whole);
    assert_eq!((&chunks[6]["type"], &chunks[6]["input"]), (&json!("tool-input-error"), &json!("{\"c")));
    assert_eq!(chunks.last().unwrap()["finishReason"], "tool-calls");
}

#[test]
fn a_search_brings_its_sources_and_citations_stay_with_the_text() {
    let chunks = translated(&[
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","url":"https://a.example/","title":"A","encrypted_content":"secret"}]}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://a.example/","title":"A","cited_text":"c","encrypted_index":"secret"}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"So."}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error","error_code":"max_uses_exceeded"}}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"category":"cyber"}}}"#,
    ]);
    let kinds: Vec<_> = chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds.join(" "),
        "tool-input-start tool-input-delta tool-input-available tool-output-available source-url text-start text-delta \
         text-end tool-output-error finish-step finish"
    );
    assert!(chunks[..4].iter().enumerate().all(|(at, chunk)| at == 1 || chunk["providerExecuted"] == true));
    assert_eq!(chunks[7]["providerMetadata"]["anthropic"]["citations"][0]["cited_text"], "c");
    assert!(!json!(chunks).to_string().contains("secret"));
    let end = chunks.last().unwrap();
    assert_eq!(end["finishReason"], "content-filter");
    assert_eq!(end["messageMetadata"]["stop_details"]["category"], "cyber");
}

#[test]
fn text_goes_out_as_the_json_that_it_came_as() {
    let (mut stream, mut out) = (UiStream::default(), Vec::new());
    for data in [
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"text","text":"A"}}"#,
        r#"{"index":3,"delta":{"text": "\u00e9\ud83e\udd80é" ,"type":"text_delta"},"type":"content_block_delta"}"#,
        r#"{"type":"content_block_stop","index":3}"#,
    ] {
        tell(&mut stream, data, &mut out);
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
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","input":{}}}"#,
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        r#"{"type":"content_block_start","index":4,"content_block":{"type":"web_search_tool_result","tool_use_id":"of an earlier answer","content":[]}}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"signature_delta","signature":"s"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":{"novel":1}}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"citations_delta","citation":{"text":"no"}}}"#,
        r#"{"type":"content_block_delta","index":9,"delta":{"type":"text_delta","text":"of nothing begun"}}"#,
    ] {
        tell(&mut stream, data, &mut out);
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
            tell(
                &mut stream,
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
        events in prop::collection::vec((0..13_usize, 0..3_usize, "[a-z\"\\\\é\n]{0,5}"), 0..40), fails in any::<bool>(),
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
                7 => json!({"type":"content_block_start","index":index,"content_block":{"type":"server_tool_use","id":text,"name":"n"}}),
                8 => json!({"type":"content_block_delta","index":index,"delta":{"type":"input_json_delta","partial_json":text}}),
                9 => json!({"type":"content_block_start","index":index,"content_block":
                    {"type":"web_search_tool_result","tool_use_id":text,"content":[{"url":format!("https://{text}")}]}}),
                10 => json!({"type":"content_block_delta","index":index,"delta":
                    {"type":"citations_delta","citation":{"document_index":index,"cited_text":text}}}),
                _ => json!({"type":"content_block_stop","index":index}),
            };
            tell(&mut stream, &event.to_string(), &mut out);
        }
        out.extend(if fails { stream.error("It failed.", Some(&finish())) } else { stream.finish(&finish()) });
        check(&out);
    }
}
