//! The stand-in Claude over the wire: events, errors, and a bill that agrees with both.

mod harness;

use harness::{Coming, Reply, open, patiently, request, send};
use http::StatusCode;
use purser::usage::{Speed, Usage};
use purser_cli::standin::{CallState, Options, Standin, tokens};
use serde_json::{Value, json};

const HEADERS: [(&str, &str); 3] =
    [("x-api-key", "a-key"), ("anthropic-version", "2026-10-21"), ("content-type", "application/json")];

fn start() -> Standin {
    Standin::start(Options::default()).unwrap()
}

fn ask(text: &str) -> Value {
    json!({ "model": "claude-sonnet-5", "max_tokens": 1000, "messages": [{ "role": "user", "content": text }] })
}

fn streaming(text: &str) -> Value {
    let mut body = ask(text);
    body["stream"] = true.into();
    body
}

async fn post(standin: &Standin, body: &Value) -> Reply {
    send(standin.address(), request("POST", "/v1/messages", &HEADERS, body.to_string())).await
}

async fn begin(standin: &Standin, body: &Value) -> Coming {
    open(standin.address(), request("POST", "/v1/messages", &HEADERS, body.to_string())).await.unwrap()
}

/// The events of a stream; each name equals its type.
fn events(text: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for event in text.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        events.push(data);
    }
    events
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    kinds.dedup();
    kinds
}

async fn stream(standin: &Standin, text: &str) -> Vec<Value> {
    let (text, end) = begin(standin, &streaming(text)).await.rest().await;
    end.unwrap();
    events(&text)
}

/// The official rule: message_start is the base, later counters overwrite, null ones do not, nothing is added.
fn merged(events: &[Value]) -> Value {
    let mut usage = events[0]["message"]["usage"].clone();
    for event in events.iter().filter(|event| event["type"] == "message_delta") {
        for (name, value) in event["usage"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            usage[name] = value.clone();
        }
    }
    usage
}

fn usage(wire: &Value) -> Usage {
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

fn text_of(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect()
}

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
async fn a_stream_that_is_cut_after_any_event_is_billed_up_to_there() {
    let standin = start();
    let complete = stream(&standin, "Hi [[standin: deltas=8]]").await;
    for cut in 0..=complete.len() {
        standin.forget();
        let body = streaming(&format!("Hi [[standin: deltas=8 cut_after={cut}]]"));
        let (text, end) = begin(&standin, &body).await.rest().await;
        assert!(end.is_err(), "{cut}");
        let events = events(&text);
        assert_eq!(kinds(&events), kinds(&complete[..cut]), "{cut}");
        let call = &standin.settled(1).await[0];
        assert_eq!((call.state, call.billed), (CallState::Cut, true));
        let said = tokens(text_of(&events).len()).max(1);
        assert_eq!(call.usage.output_tokens, if cut == 0 { 0 } else { said }, "{cut}");
        assert!(call.usage.input_tokens > 0);
    }
}

#[tokio::test]
async fn a_caller_who_leaves_at_a_gate_is_billed_what_was_produced() {
    let standin = start();
    let mut coming = begin(&standin, &streaming("Hi [[standin: gate=half]]")).await;
    patiently(standin.gate_reached("half")).await;
    coming.until("content_block_delta").await;
    drop(coming);
    let call = &patiently(standin.settled(1)).await[0];
    assert_eq!((call.state, call.usage.output_tokens), (CallState::Cut, 1));
}

#[tokio::test]
async fn a_gate_holds_a_stream_until_it_is_opened_from_outside() {
    let standin = start();
    let mut coming = begin(&standin, &streaming("Hi [[standin: gate=one@1]]")).await;
    let reached = request("GET", "/_standin/gates/one/reached", &[], "");
    assert_eq!(send(standin.address(), reached).await.status, StatusCode::OK);
    coming.until("message_start").await;
    assert_eq!(events(coming.read()).len(), 1);
    send(standin.address(), request("POST", "/_standin/gates/one", &[], "")).await;
    let (text, end) = coming.rest().await;
    end.unwrap();
    assert!(text.contains("message_stop"));
}

#[tokio::test]
async fn every_error_has_its_shape_status_and_headers() {
    let standin = start();
    for (directive, status, kind, retry) in [
        ("error=overloaded_error", 529, "overloaded_error", ""),
        ("error=rate_limit_error retry_after=7", 429, "rate_limit_error", "7"),
        ("error=rate_limit_error error_code=enforced_spend_limit_reached", 429, "rate_limit_error", ""),
        ("error=api_error status=503", 503, "api_error", ""),
        ("error=timeout_error", 504, "timeout_error", ""),
        ("error=billing_error", 402, "billing_error", ""),
        ("error=authentication_error", 401, "authentication_error", ""),
    ] {
        let reply = post(&standin, &ask(&format!("[[standin: {directive}]]"))).await;
        let error = reply.json();
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (status, retry), "{directive}");
        assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!(kind)), "{directive}");
        assert_eq!(error["request_id"], reply.header("request-id"));
    }
    let coded = post(&standin, &ask("[[standin: error=rate_limit_error error_code=some_code]]")).await.json();
    assert_eq!(coded["error"]["details"]["error_code"], "some_code");
    assert!(standin.calls().is_empty(), "an error is not billed");
}

#[tokio::test]
async fn queued_directives_go_to_the_next_calls_in_order() {
    let standin = start();
    standin.next("error=overloaded_error");
    send(standin.address(), request("POST", "/_standin/next", &[], "")).await;
    standin.next("tokens=7");
    assert_eq!(post(&standin, &ask("Hi")).await.status.as_u16(), 529);
    assert_eq!(post(&standin, &ask("Hi")).await.status.as_u16(), 200);
    assert_eq!(post(&standin, &ask("Hi")).await.json()["usage"]["output_tokens"], 7);
}

#[tokio::test]
async fn a_connection_that_closes_before_the_head_costs_nothing() {
    let standin = start();
    let body = streaming("[[standin: cut_before_head]]").to_string();
    assert!(open(standin.address(), request("POST", "/v1/messages", &HEADERS, body)).await.is_err());
    let body = streaming("[[standin: hang]]").to_string();
    let hanging = harness::spawn(open(standin.address(), request("POST", "/v1/messages", &HEADERS, body)));
    while standin.calls().len() < 2 {
        tokio::task::yield_now().await;
    }
    hanging.abort();
    let calls = patiently(standin.settled(2)).await;
    assert!(calls.iter().all(|call| call.state == CallState::Cut && !call.billed));
}

#[tokio::test]
async fn an_error_in_mid_stream_ends_it() {
    let standin = start();
    let events = stream(&standin, "Hi [[standin: mid_error=overloaded_error]]").await;
    let last = events.last().unwrap();
    assert_eq!((&last["type"], &last["error"]["type"]), (&json!("error"), &json!("overloaded_error")));
    let call = &standin.settled(1).await[0];
    assert_eq!((call.state, call.usage.output_tokens), (CallState::Cut, 1));
}

#[tokio::test]
async fn parts_of_a_stream_can_be_missing() {
    let standin = start();
    let events = stream(&standin, "Hi [[standin: no_usage]]").await;
    assert!(events.iter().all(|event| event.get("usage").is_none()) && events[0]["message"].get("usage").is_none());
    let events = stream(&standin, "Hi [[standin: no_usage=final]]").await;
    assert!(events[0]["message"].get("usage").is_some() && events.iter().all(|event| event.get("usage").is_none()));
    let events = stream(&standin, "Hi [[standin: no_stop]]").await;
    assert_eq!(kinds(&events).last(), Some(&"message_delta"));
    let events = stream(&standin, "Hi [[standin: no_final]]").await;
    assert_eq!(kinds(&events).last(), Some(&"content_block_stop"));
    assert!(post(&standin, &ask("Hi [[standin: no_usage]]")).await.json().get("usage").is_none());
    let half = begin(&standin, &ask("Hi [[standin: cut_after=1]]")).await.rest().await;
    assert!(half.1.is_err() && serde_json::from_str::<Value>(&half.0).is_err());
}

#[tokio::test]
async fn a_refusal_before_any_output_is_not_billed() {
    let standin = start();
    let message = post(&standin, &ask("[[standin: refusal]]")).await.json();
    assert_eq!((&message["stop_reason"], &message["content"]), (&json!("refusal"), &json!([])));
    assert_eq!(message["stop_details"]["type"], "refusal");
    let events = stream(&standin, "[[standin: refusal=mid]]").await;
    assert!(!text_of(&events).is_empty());
    let billed: Vec<bool> = standin.settled(2).await.iter().map(|call| call.billed).collect();
    assert_eq!(billed, [false, true]);
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
async fn both_forms_of_the_key_are_taken_and_the_first_wins() {
    let standin = Standin::start(Options { port: 0, key: Some("right".to_owned()) }).unwrap();
    for (headers, status) in [
        (vec![("x-api-key", "right")], 200),
        (vec![("authorization", "Bearer right")], 200),
        (vec![("x-api-key", "right"), ("authorization", "Bearer wrong")], 200),
        (vec![("x-api-key", "wrong"), ("authorization", "Bearer right")], 401),
        (vec![("authorization", "Bearer wrong")], 401),
        (vec![], 401),
    ] {
        let mut all = headers.clone();
        all.push(("anthropic-version", "2023-06-01"));
        let reply = send(standin.address(), request("POST", "/v1/messages", &all, ask("Hi").to_string())).await;
        assert_eq!(reply.status.as_u16(), status, "{headers:?}");
        if status == 401 {
            assert_eq!(reply.json()["error"]["type"], "authentication_error");
        }
    }
}

#[tokio::test]
async fn what_the_real_api_refuses_is_refused() {
    let standin = start();
    let with = |name: &str, value: Value| {
        let mut body = ask("Hi");
        body[name] = value;
        body
    };
    let assistant_last = json!([{ "role": "user", "content": "Hi" }, { "role": "assistant", "content": "Well" }]);
    for (body, status, says) in [
        (with("temperature", json!(1)), 400, "temperature: Extra inputs are not permitted"),
        (with("nonsense", json!(1)), 400, "nonsense: Extra inputs are not permitted"),
        (with("model", json!("claude-9")), 404, "model: claude-9"),
        (with("model", Value::Null), 400, "model: Field required"),
        (with("max_tokens", Value::Null), 400, "max_tokens: Field required"),
        (with("max_tokens", json!(999_999)), 400, "max_tokens: 999999 > 128000"),
        (with("messages", json!([])), 400, "at least one message"),
        (with("messages", json!([{ "role": "user", "content": "" }])), 400, "non-empty content"),
        (with("messages", json!([{ "role": "bot", "content": "Hi" }])), 400, "messages.0.role"),
        (with("messages", assistant_last), 400, "prefill"),
        (with("thinking", json!({ "type": "enabled", "budget_tokens": 10 })), 400, "1024"),
        (ask("[[standin: tokns=1]]"), 400, "tokns"),
    ] {
        let reply = post(&standin, &body).await;
        assert_eq!(reply.status.as_u16(), status, "{says}");
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains(says), "{}", reply.text());
    }
    let no_version =
        send(standin.address(), request("POST", "/v1/messages", &HEADERS[..1], ask("Hi").to_string())).await;
    assert_eq!(no_version.status, StatusCode::BAD_REQUEST);
    let broken = send(standin.address(), request("POST", "/v1/messages", &HEADERS, "{")).await;
    assert!(broken.json()["error"]["message"].as_str().unwrap().contains("not valid JSON"));
    assert!(standin.calls().is_empty());

    let old = [("x-api-key", "a-key"), ("anthropic-version", "2023-06-01")];
    let mut body = with("temperature", json!(1));
    assert_eq!(send(standin.address(), request("POST", "/v1/messages", &old, body.to_string())).await.status, 400);
    body["model"] = "claude-haiku-4-5".into();
    assert_eq!(send(standin.address(), request("POST", "/v1/messages", &old, body.to_string())).await.status, 200);
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
