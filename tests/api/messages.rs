use purser_tests::{deployment::Deployment, token};
use serde_json::{Value, json};

fn body(text: &str) -> Value {
    json!({ "model": "claude-haiku-5-5", "max_tokens": 200, "messages": [{ "role": "user", "content": text }] })
}

#[tokio::test]
async fn the_callers_bytes_go_out_as_they_came_and_claudes_bytes_come_back() {
    let deployment = Deployment::new().await;
    let text = r#"{"model":"claude-haiku-5-5", "max_tokens":50,"metadata":{"user_id":"u1"},  "messages":[{"role":"user","content":"Hi"}]}"#;
    let reply = deployment
        .call("POST", "/api/v1/messages")
        .header("x-api-key", &token::mint("ann", "pro"))
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "feature-a")
        .header("anthropic-beta", "feature-b")
        .body(text)
        .send()
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let seen = serde_json::to_value(deployment.claude.requests()).unwrap();
    let seen = &seen[0];
    assert_eq!(seen["headers"]["anthropic-version"], "2023-06-01", "{seen}");
    assert_eq!(seen["headers"]["anthropic-beta"], "feature-a,feature-b");
    assert_eq!(seen["headers"]["x-api-key"], "sk-standin");
    let sent: Value = serde_json::from_str(text).unwrap();
    assert_eq!(seen["body"], sent);
    assert_eq!(reply.json()["type"], "message");
    assert_eq!(reply.header("request-id"), reply.header("x-request-id"));
    assert!(!reply.header("x-upstream-request-id").is_empty());
    assert_eq!(deployment.ledger().await[0].state, "settled");
}

#[tokio::test]
async fn a_stream_is_claudes_own_with_every_event() {
    let deployment = Deployment::new().await;
    let mut streamed = body("Hi");
    streamed["stream"] = json!(true);
    let reply =
        deployment.call("POST", "/api/v1/messages").bearer(&token::mint("ann", "free")).json(&streamed).send().await;
    assert!(reply.text.starts_with("event: message_start\ndata: {"), "{}", reply.text);
    let kinds: Vec<_> = reply.events().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds.last().unwrap(), "message_stop");
    assert!(kinds.contains(&"content_block_delta".to_owned()));
    let row = &deployment.ledger().await[0];
    assert_eq!((row.source.as_deref(), row.outcome.as_deref()), (Some("provider"), Some("completed")));
    let billed = row.input_tokens * 100 + row.output_tokens * 500;
    assert_eq!(row.cost_nanousd, Some(billed));
}

#[tokio::test]
async fn errors_have_anthropics_shape() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    let cases = [
        (json!({ "max_tokens": 1, "messages": [1] }), 400, "invalid_request_error"),
        (json!({ "model": "claude-nobody-1", "max_tokens": 1, "messages": [1] }), 404, "not_found_error"),
        (json!({ "model": "claude-opus-5-5", "max_tokens": 1, "messages": [1] }), 403, "permission_error"),
        (json!({ "model": "claude-haiku-5-5", "max_tokens": 200_000, "messages": [1] }), 400, "invalid_request_error"),
        (
            json!({ "model": "claude-haiku-5-5", "max_tokens": 1, "messages": [1], "container": "c" }),
            400,
            "invalid_request_error",
        ),
    ];
    for (body, status, kind) in cases {
        let reply = deployment.call("POST", "/api/v1/messages").bearer(&token).json(&body).send().await;
        let error = reply.json();
        assert_eq!((reply.status, error["error"]["type"].as_str()), (status, Some(kind)), "{}", reply.text);
        assert_eq!((&error["type"], error["request_id"].as_str()), (&json!("error"), Some(reply.header("request-id"))));
    }
    let reply = deployment.call("POST", "/api/v1/messages").bearer("nonsense").json(&body("x")).send().await;
    assert_eq!((reply.status, reply.json()["error"]["type"].as_str()), (401, Some("authentication_error")));
    assert!(deployment.ledger().await.is_empty(), "nothing is written for what was refused");
    assert!(deployment.claude.requests().is_empty());
}

#[tokio::test]
async fn limits_are_told_as_anthropics_sdks_read_them() {
    let deployment = Deployment::new().await;
    let call = || deployment.call("POST", "/api/v1/messages").bearer(&token::mint("ann", "free")).json(&body("x"));
    for left in (0..10).rev() {
        let reply = call().send().await;
        assert_eq!(reply.header("anthropic-ratelimit-requests-limit"), "10");
        assert_eq!(reply.header("anthropic-ratelimit-requests-remaining"), left.to_string());
        let reset = reply.header("anthropic-ratelimit-requests-reset");
        assert!(
            reset.ends_with('Z') && reset > purser::clock::rfc3339_utc(purser::clock::now_ms()).as_str(),
            "{reset}"
        );
    }
    let reply = call().send().await;
    assert_eq!((reply.status, reply.json()["error"]["type"].as_str()), (429, Some("rate_limit_error")));
    assert_eq!(reply.header("anthropic-ratelimit-requests-remaining"), "0");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 3_500);
    assert_eq!(reply.header("x-should-retry"), "false", "an SDK would sleep for an hour, twice");
    let page = deployment.call("GET", "/api/usage").bearer(&token::mint("ann", "free")).send().await;
    assert_eq!(page.header("anthropic-ratelimit-requests-limit"), "", "only on Anthropic's wire");
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_refused_as_claude_would() {
    let deployment = Deployment::new().await;
    let long = body(&"x".repeat(4_600_000));
    let reply = deployment.call("POST", "/api/v1/messages").bearer(&token::mint("a", "pro")).json(&long).send().await;
    assert_eq!((reply.status, reply.json()["error"]["type"].as_str()), (413, Some("request_too_large")));
}

#[tokio::test]
async fn a_dated_id_in_the_answer_is_priced_as_the_model_that_was_asked_for() {
    let deployment = Deployment::new().await;
    deployment.claude.next("model_echo=claude-haiku-5-5-20261001");
    deployment.call("POST", "/api/v1/messages").bearer(&token::mint("a", "pro")).json(&body("x")).send().await;
    let row = &deployment.ledger().await[0];
    assert_eq!(row.cost_nanousd, Some(row.input_tokens * 100 + row.output_tokens * 500));
}

#[tokio::test]
async fn fast_mode_geo_and_searches_are_charged_as_reported() {
    let deployment = Deployment::new().await;
    let token = token::mint("a", "pro");
    let mut body = body("x");
    body["model"] = json!("claude-opus-5");
    body["speed"] = json!("fast");
    body["tools"] = json!([{ "type": "web_search_20250305", "name": "web_search", "max_uses": 5 }]);
    deployment.claude.next("speed=fast geo=us web_search=2 input=1000 tokens=100");
    let reply = deployment.call("POST", "/api/v1/messages").bearer(&token).json(&body).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let row = &deployment.ledger().await[0];
    // Opus 5 fast: 10 and 50 USD per million, 1.1 times in `us`, and two searches at a cent.
    let tokens = (row.input_tokens * 10_000 + row.output_tokens * 50_000) * 11 / 10;
    assert_eq!(row.cost_nanousd, Some(tokens + 20_000_000));
    assert!(row.ceiling_nanousd >= row.cost_nanousd.unwrap());
}

/// `@ai-sdk/anthropic` asks for all that the model has.
#[tokio::test]
async fn a_max_tokens_above_the_plans_is_lowered_and_the_answer_says_so() {
    let deployment = Deployment::new().await;
    for (stream, thinking, answered) in [
        ("false", "", Some("8192")),
        ("true", "", Some("8192")),
        ("true", r#","thinking":{"type":"enabled","budget_tokens":2000}"#, Some("8192")),
        ("false", r#","thinking":{"type":"enabled","budget_tokens":8192}"#, None),
    ] {
        let body = format!(
            r#"{{"model":"claude-haiku-4-5", "max_tokens" : 64000 ,"stream":{stream}{thinking}, "messages":[{{"role":"user","content":"Hi"}}]}}"#
        );
        let call = deployment.call("POST", "/api/v1/messages").bearer(&token::mint("ann", "free"));
        let reply = call.body(body.clone()).send().await;
        let Some(answered) = answered else {
            assert_eq!(reply.status, 400, "{}", reply.text);
            assert!(reply.text.contains("may be at most 8192"), "{}", reply.text);
            continue;
        };
        assert_eq!((reply.status, reply.header("x-purser-max-tokens")), (200, answered), "{}", reply.text);
        let requests = serde_json::to_value(deployment.claude.requests()).unwrap();
        let mut expected: Value = serde_json::from_str(&body).unwrap();
        expected["max_tokens"] = json!(8192);
        assert_eq!(requests.as_array().unwrap().last().unwrap()["body"], expected);
    }
    let within = deployment.call("POST", "/api/v1/messages").bearer(&token::mint("ann", "free")).json(&body("Hi"));
    assert_eq!(within.send().await.header("x-purser-max-tokens"), "");
}
