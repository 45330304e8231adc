//! What the stand-in Claude says, and a bill that agrees with it.

mod harness;

use harness::{claude::*, request, send};
use http::StatusCode;
use purser::usage::{Speed, Usage};
use purser_cli::standin::{CallState, tokens};
use serde_json::{Value, json};

#[tokio::test]
async fn a_stream_has_the_events_of_the_real_wire_in_order() {
    let standin = start();
    let events = stream(&standin, "Good morning").await;
    let order = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds(&events), order);
    let start = &events[0]["message"];
    assert_eq!((&start["usage"]["output_tokens"], &start["stop_reason"]), (&json!(1), &Value::Null));
    assert_eq!(start["usage"]["cache_creation"]["ephemeral_5m_input_tokens"], 0);
    assert!(start["id"].as_str().unwrap().starts_with("msg_"));
    let last = &events[events.len() - 2];
    assert_eq!(last["delta"]["stop_reason"], "end_turn");
    assert!(last["usage"].get("cache_creation").is_none() && last["usage"].get("service_tier").is_none());
    let text = text_of(&events);
    assert!(text.contains("stand-in") && text.contains("“Good morning”"), "{text}");
    assert_eq!(last["usage"]["output_tokens"], tokens(text.len()));
}

#[tokio::test]
async fn an_answer_in_one_piece_says_and_costs_the_same_as_a_stream() {
    let standin = start();
    let whole = post(&standin, &ask("Hello")).await;
    assert!(whole.header("request-id").starts_with("req_"));
    assert_eq!(whole.header("anthropic-ratelimit-requests-limit"), "1000");
    let message = whole.json();
    let events = stream(&standin, "Hello").await;
    assert_eq!(message["content"][0]["text"], text_of(&events));
    assert_eq!(usage(&message["usage"]), usage(&merged(&events)));
    assert_eq!(message["stop_reason"], "end_turn");
}

#[tokio::test]
async fn the_merged_usage_of_every_kind_of_stream_equals_the_bill() {
    let standin = start();
    let directives = [
        "",
        "tokens=1234",
        "deltas=200",
        "thinking",
        "web_search=2",
        "usage_growth=8003",
        "cache_growth=50",
        "message_deltas=3",
        "unknown_event unknown_block",
        "refusal=mid",
        "no_stop",
        "model_echo=claude-haiku-4-5-20251001",
        "input=10 cache_read=20 cache_write_5m=30 cache_write_1h=40 tokens=50",
        "speed=fast geo=us tier=priority",
        "stop_reason=pause_turn",
    ];
    for (index, directive) in directives.into_iter().enumerate() {
        let events = stream(&standin, &format!("Hi [[standin: {directive}]]")).await;
        let calls = standin.settled(index + 1).await;
        let call = calls.last().unwrap();
        assert_eq!(usage(&merged(&events)), call.usage, "{directive}");
        assert_eq!((call.state, call.billed), (CallState::Finished, true), "{directive}");
        assert_eq!(events[0]["message"]["model"], call.model);
        assert_eq!(events[0]["message"]["id"], call.id);
    }
}

#[tokio::test]
async fn figures_are_what_directives_say() {
    let standin = start();
    let counts = "input=10 cache_read=20 cache_write_5m=30 cache_write_1h=40 tokens=50 speed=fast geo=us";
    let message = post(&standin, &ask(&format!("[[standin: {counts}]]"))).await.json();
    let expected = Usage {
        input_tokens: 10,
        cache_read_tokens: 20,
        cache_write_5m_tokens: 30,
        cache_write_1h_tokens: 40,
        output_tokens: 50,
        speed: Speed::Fast,
        inference_geo: Some("us".to_owned()),
        service_tier: Some("standard".to_owned()),
        ..Usage::default()
    };
    assert_eq!(usage(&message["usage"]), expected);
    let events = stream(&standin, "[[standin: input=2679 usage_growth=8003 web_search=2]]").await;
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 2679);
    assert_eq!(merged(&events)["input_tokens"], 2679 + 8003 + 2 * 1000);
    assert_eq!(merged(&events)["server_tool_use"]["web_search_requests"], 2);
}

#[tokio::test]
async fn tools_are_called_and_their_results_answered() {
    let standin = start();
    let schema =
        json!({ "type": "object", "properties": { "city": { "type": "string" }, "days": { "type": "integer" } } });
    let mut body = streaming("Weather in Rome? [[standin: tool]]");
    body["tools"] = json!([{ "name": "get_weather", "input_schema": schema }]);
    let events = events(&begin(&standin, &body).await.rest().await.0);
    let call = events.iter().find(|event| event["content_block"]["type"] == "tool_use").unwrap();
    assert_eq!((&call["content_block"]["name"], &call["content_block"]["input"]), (&json!("get_weather"), &json!({})));
    let parts: Vec<&str> = events.iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    assert!(parts.len() > 2 && parts[0].is_empty());
    let input: Value = serde_json::from_str(&parts.concat()).unwrap();
    assert_eq!(input, json!({ "city": "Weather in Rome?", "days": 1 }));
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");

    let id = &call["content_block"]["id"];
    let history = [
        json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": "get_weather", "input": input }] }),
        json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": "Sunny" }] }),
    ];
    body["messages"].as_array_mut().unwrap().extend(history);
    body["stream"] = false.into();
    let text = post(&standin, &body).await.json()["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("Sunny") && text.contains("turn 2") && text.contains("3 message"), "{text}");
}

#[tokio::test]
async fn thinking_comes_first_and_is_signed() {
    let standin = start();
    let mut body = streaming("Hi");
    body["thinking"] = json!({ "type": "adaptive" });
    let events = events(&begin(&standin, &body).await.rest().await.0);
    let deltas: Vec<&str> = events.iter().filter_map(|event| event["delta"]["type"].as_str()).collect();
    let signature = deltas.iter().position(|kind| *kind == "signature_delta").unwrap();
    assert!(deltas[..signature].iter().all(|kind| *kind == "thinking_delta"));
    assert!(deltas[signature + 1..].iter().all(|kind| *kind == "text_delta"));
    assert!(merged(&events)["output_tokens_details"]["thinking_tokens"].as_u64().unwrap() > 0);
    body["thinking"]["display"] = "omitted".into();
    body["stream"] = false.into();
    let message = post(&standin, &body).await.json();
    assert_eq!((&message["content"][0]["type"], &message["content"][0]["thinking"]), (&json!("thinking"), &json!("")));
}

#[tokio::test]
async fn the_prompt_cache_is_written_and_then_read() {
    let standin = start();
    let mut body = ask("Hi");
    let hour = json!({ "type": "ephemeral", "ttl": "1h" });
    body["system"] = json!([{ "type": "text", "text": "A long prompt", "cache_control": hour }]);
    body["cache_control"] = json!({ "type": "ephemeral" });
    let first = usage(&post(&standin, &body).await.json()["usage"]);
    assert!(first.cache_write_1h_tokens > 0 && first.cache_write_5m_tokens > 0 && first.cache_read_tokens == 0);
    let second = usage(&post(&standin, &body).await.json()["usage"]);
    assert_eq!(second.cache_read_tokens, first.prompt_tokens());
    body.as_object_mut().unwrap().remove("max_tokens");
    let counted =
        send(standin.address(), request("POST", "/v1/messages/count_tokens", &HEADERS, body.to_string())).await;
    assert_eq!(counted.json(), json!({ "input_tokens": first.prompt_tokens() }));
}

#[tokio::test]
async fn max_tokens_ends_the_answer() {
    let standin = start();
    let mut body = ask("Hello there");
    body["max_tokens"] = 5.into();
    let message = post(&standin, &body).await.json();
    assert_eq!((&message["stop_reason"], &message["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(5)));
    assert_eq!(message["content"][0]["text"].as_str().unwrap().len(), 20);
    body["max_tokens"] = 0.into();
    let message = post(&standin, &body).await.json();
    assert_eq!((&message["content"], &message["usage"]["output_tokens"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn models_are_listed_in_pages_and_found_by_name() {
    let standin = start();
    let get = async |path: &str| send(standin.address(), request("GET", path, &HEADERS, "")).await;
    let first = get("/v1/models?limit=2").await.json();
    assert_eq!((first["data"].as_array().unwrap().len(), &first["has_more"]), (2, &json!(true)));
    let next = get(&format!("/v1/models?limit=1000&after_id={}", first["last_id"].as_str().unwrap())).await.json();
    assert_eq!(next["has_more"], false);
    assert_ne!(next["first_id"], first["last_id"]);
    assert_eq!(get("/v1/models/claude-haiku-4-5").await.json()["id"], "claude-haiku-4-5-20251001");
    assert_eq!(get("/v1/models/claude-9").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_came_in_can_be_read_back() {
    let standin = start();
    post(&standin, &ask("Remember this")).await;
    let seen = send(standin.address(), request("GET", "/_standin/requests", &[], "")).await.json();
    assert_eq!(seen["requests"][0]["headers"]["x-api-key"], "a-key");
    assert_eq!(seen["requests"][0]["body"]["messages"][0]["content"], "Remember this");
    assert_eq!(standin.requests()[0].path, "/v1/messages");
    let calls = send(standin.address(), request("GET", "/_standin/calls", &[], "")).await.json();
    assert_eq!(calls["calls"][0]["state"], "finished");
    assert_eq!(calls["calls"][0]["usage"]["output_tokens"], standin.calls()[0].usage.output_tokens);
}
