use purser_tests::{deployment::Deployment, token};
use serde_json::{Value, json};

async fn remaining(deployment: &Deployment, token: &str) -> Value {
    deployment.call("GET", "/api/usage").bearer(token).send().await.json()["limits"][0]["remaining"].clone()
}

#[tokio::test]
async fn an_outage_of_claude_is_told_in_the_ledger_and_costs_the_caller_nothing() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    let cases = [
        ("error=overloaded_error status=529 retry_after=9", 503, "claude_overloaded", "overloaded_error"),
        ("error=rate_limit_error status=429 retry_after=9", 429, "claude_rate_limited", "rate_limit_error"),
        ("error=authentication_error status=401", 502, "claude_misconfigured", "authentication_error"),
        ("error=billing_error status=402", 502, "claude_misconfigured", "billing_error"),
    ];
    for (directives, status, code, kind) in cases {
        let reply = deployment.chat(&token, json!({ "message": format!("[[standin: {directives}]]") })).await;
        reply.assert_problem(status, code);
        if directives.contains("retry_after") {
            assert_eq!(reply.header("retry-after"), "9");
        }
        let row = deployment.ledger().await.pop().unwrap();
        assert_eq!((row.outcome.as_deref(), row.error_code.as_deref()), (Some("failed"), Some(kind)));
        assert_eq!(row.cost_nanousd, Some(0));
    }
    let billing = deployment.ledger().await.len();
    assert_eq!(billing, cases.len());
}

#[tokio::test]
async fn a_request_that_claude_refuses_is_the_callers_and_is_told_in_claudes_words() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    let message = "[[standin: error=invalid_request_error status=400]]";
    let reply = deployment.chat(&token, json!({ "message": message })).await;
    reply.assert_problem(400, "claude_refused");
    assert_eq!(deployment.ledger().await[0].cost_nanousd, Some(0));
    assert_eq!(remaining(&deployment, &token).await, 9);
}

#[tokio::test]
async fn an_overload_that_passes_is_tried_again_and_billed_once() {
    let deployment = Deployment::new().await;
    deployment.claude.next("error=overloaded_error status=529");
    let reply = deployment.chat(&token::mint("ann", "free"), json!({ "message": "Hi" })).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!((deployment.claude.calls().len(), deployment.ledger().await.len()), (1, 1));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_charged_what_was_seen_and_says_so() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    for (directives, source) in
        [("cut_after=6", "counted"), ("mid_error=overloaded_error", "counted"), ("no_usage=final", "counted")]
    {
        deployment.claude.next(directives);
        let call = deployment.call("POST", "/api/chat").bearer(&token).json(&json!({ "message": "Tell me a story" }));
        let reply = call.send().await;
        let row = deployment.ledger().await.pop().unwrap();
        assert_eq!((row.state.as_str(), row.source.as_deref()), ("settled", Some(source)), "{directives}");
        assert!(
            row.cost_nanousd.unwrap() > 0 && row.input_tokens > 0 && row.output_tokens > 0,
            "{directives}: {row:?}"
        );
        let last = reply.events().pop().unwrap();
        if directives.starts_with("no_usage") {
            assert_eq!(last["type"], "finish");
        } else {
            assert_eq!(last["type"], "error", "{directives}: {}", reply.text);
            let metadata = reply.events().iter().rev().nth(1).unwrap()["messageMetadata"].clone();
            assert_eq!(metadata["cost_nanousd"].as_i64(), row.cost_nanousd);
        }
    }
}

#[tokio::test]
async fn a_passed_on_stream_that_breaks_off_ends_with_an_error_event() {
    let deployment = Deployment::new().await;
    deployment.claude.next("cut_after=6");
    let body = json!({ "model": "claude-haiku-5-5", "max_tokens": 100, "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    let reply = deployment.call("POST", "/api/v1/messages").bearer(&token::mint("a", "pro")).json(&body).send().await;
    let last = reply.events().pop().unwrap();
    assert_eq!((&last["type"], &last["error"]["type"]), (&json!("error"), &json!("api_error")));
    assert!(!reply.text.contains("message_stop"));
}

#[tokio::test]
async fn a_refusal_before_any_output_is_free() {
    let deployment = Deployment::new().await;
    deployment.claude.next("refusal=before");
    let reply = deployment.chat(&token::mint("ann", "pro"), json!({ "message": "x" })).await;
    assert_eq!((reply.status, &reply.json()["stop_reason"]), (200, &json!("refusal")), "{}", reply.text);
    let row = &deployment.ledger().await[0];
    assert_eq!((row.outcome.as_deref(), row.cost_nanousd), (Some("refused"), Some(0)));
    assert!(row.input_tokens > 0, "what was reported is kept");
}

#[tokio::test]
async fn when_nobody_can_tell_what_was_billed_the_ceiling_is_recorded() {
    let deployment = Deployment::new().await;
    deployment.claude.next("cut_before_head");
    let reply = deployment.chat(&token::mint("ann", "pro"), json!({ "message": "x" })).await;
    reply.assert_problem(502, "claude_unavailable");
    let row = &deployment.ledger().await[0];
    assert_eq!((row.source.as_deref(), row.cost_nanousd), (Some("ceiling"), Some(row.ceiling_nanousd)));
}

#[tokio::test]
async fn a_deployment_without_a_key_says_so_and_writes_nothing() {
    let mut deployment = Deployment::new().await;
    deployment.environment.remove("CLAUDE_API_KEY");
    deployment.chat("", json!({ "message": "x" })).await.assert_problem(502, "claude_misconfigured");
    assert!(deployment.ledger().await.is_empty());
}

/// The official SDKs choose the class by status, and branch on `error.details.error_code`.
#[tokio::test]
async fn what_claude_says_of_a_request_keeps_its_class_and_its_code() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    for (directives, status, kind, code) in [
        (
            "status=400 error=invalid_request_error error_code=image_dimensions_too_large",
            400,
            "invalid_request_error",
            "image_dimensions_too_large",
        ),
        (
            "status=409 error=conflict_error error_code=thread_already_continued",
            409,
            "conflict_error",
            "thread_already_continued",
        ),
        ("status=413 error=request_too_large", 413, "request_too_large", ""),
        // What is wrong with the deployment is not told to its callers.
        ("status=400 error=invalid_request_error error_code=organization_on_hold", 502, "api_error", ""),
    ] {
        let content = format!("[[standin: {directives}]]");
        let body = json!({ "model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{ "role": "user", "content": content }] });
        let reply = deployment.call("POST", "/api/v1/messages").bearer(&token).json(&body).send().await;
        let error = &reply.json()["error"];
        assert_eq!((reply.status, error["type"].as_str()), (status, Some(kind)), "{}", reply.text);
        assert_eq!(error["details"]["error_code"].as_str().unwrap_or_default(), code, "{}", reply.text);
        assert!(!reply.text.contains("on_hold"), "{}", reply.text);
    }
    assert!(deployment.ledger().await.iter().all(|row| row.cost_nanousd == Some(0)));
}
