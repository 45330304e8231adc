//! How the stand-in Claude fails when it is told to, and what that costs.

mod harness;

use harness::{claude::*, open, patiently, request, send};
use http::StatusCode;
use purser_cli::standin::{CallState, Options, Standin, tokens};
use serde_json::{Value, json};

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
    patiently(async {
        while standin.calls().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
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
