use purser_tests::{deployment::Deployment, token};
use serde_json::{Value, json};

fn body() -> Value {
    json!({ "model": "claude-haiku-5-5", "messages": [{ "role": "user", "content": "How long am I?" }] })
}

#[tokio::test]
async fn counting_tokens_is_free_and_goes_out_as_it_came() {
    let deployment = Deployment::new().await;
    let reply = deployment
        .call("POST", "/api/v1/messages/count_tokens?beta=true")
        .header("x-api-key", &token::mint("ann", "free"))
        .header("anthropic-version", "2023-06-01")
        .header("anthropic-beta", "tomorrow")
        .json(&body())
        .send()
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert!(reply.json()["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(reply.header("request-id"), reply.header("x-request-id"));
    let seen = serde_json::to_value(deployment.claude.requests()).unwrap();
    assert_eq!((&seen[0]["body"], seen.as_array().unwrap().len()), (&body(), 1));
    assert_eq!(seen[0]["headers"]["anthropic-beta"], "tomorrow");
    assert_eq!(seen[0]["headers"]["anthropic-version"], "2023-06-01");
    assert!(deployment.ledger().await.is_empty());
    let usage = deployment.call("GET", "/api/usage").bearer(&token::mint("ann", "free")).send().await.json();
    assert_eq!(usage["limits"][0]["remaining"], 10, "no request of the hour is taken: {usage}");
}

#[tokio::test]
async fn counting_tokens_has_a_window_of_its_own() {
    let deployment = Deployment::new().await;
    let count =
        || deployment.call("POST", "/api/v1/messages/count_tokens").bearer(&token::mint("a", "pro")).json(&body());
    for call in 1..=60 {
        let reply = count().send().await;
        assert_eq!(reply.status, 200, "{call}: {}", reply.text);
        assert_eq!(reply.header("anthropic-ratelimit-requests-remaining"), (60 - call).to_string());
    }
    let reply = count().send().await;
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (429, &json!("rate_limit_error")));
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(reply.header("x-should-retry"), "", "an SDK may wait a minute by itself");
    assert_eq!(deployment.claude.requests().len(), 60);
}

#[tokio::test]
async fn a_count_for_a_model_beyond_the_plan_is_refused_before_claude_hears_of_it() {
    let deployment = Deployment::new().await;
    let count = async |body: Value, plan: &str| {
        let call = deployment.call("POST", "/api/v1/messages/count_tokens").bearer(&token::mint("a", plan));
        call.json(&body).send().await
    };
    let model = |name: &str| json!({ "model": name, "messages": [1] });
    for (body, status, kind) in [
        (model("claude-opus-5-5"), 403, "permission_error"),
        (model("claude-nobody-1"), 404, "not_found_error"),
        (json!({ "model": "claude-haiku-5-5" }), 400, "invalid_request_error"),
    ] {
        let reply = count(body, "free").await;
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (status, &json!(kind)), "{}", reply.text);
    }
    assert!(deployment.claude.requests().is_empty());
    let reply = count(json!({ "model": "claude-haiku-5-5", "messages": [], "x": 1 }), "free").await;
    assert_eq!(reply.status, 400);
    // What Claude itself refuses comes back as it says it.
    let reply = count(json!({ "model": "claude-haiku-5-5", "messages": [7], "x": 1 }), "free").await;
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (400, &json!("invalid_request_error")));
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains("Extra inputs"), "{}", reply.text);
}

#[tokio::test]
async fn the_models_are_those_of_the_plan_and_the_deployment_with_their_prices() {
    let mut deployment = Deployment::new().await;
    deployment.set("CLAUDE_MODELS", "claude-haiku-5-5,claude-opus-5-5,claude-haiku-4-5");
    let get = async |path: &str, plan: &str| {
        deployment.call("GET", path).header("x-api-key", &token::mint("a", plan)).send().await
    };
    let ids = |list: &Value| {
        list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let free = get("/api/v1/models", "free").await.json();
    assert_eq!(ids(&free), ["claude-haiku-5-5", "claude-haiku-4-5-20251001"]);
    assert_eq!((&free["has_more"], &free["last_id"]), (&json!(false), &json!("claude-haiku-4-5-20251001")));
    assert_eq!(free["data"][0]["display_name"], "Claude Haiku 5.5");
    assert_eq!(free["data"][0]["price"]["output_usd_per_mtok"], "0.50");
    assert_eq!(free["data"][0]["type"], "model");
    let pro = ids(&get("/api/v1/models", "pro").await.json());
    assert_eq!(pro.len(), 3);
    let first = get("/api/v1/models?limit=1", "pro").await.json();
    assert_eq!((ids(&first), &first["has_more"]), (vec![pro[0].clone()], &json!(true)));
    let second = get(&format!("/api/v1/models?limit=5&after_id={}", pro[0]), "pro").await.json();
    assert_eq!(ids(&second), pro[1..]);
    let back = get(&format!("/api/v1/models?limit=1&before_id={}", pro[2]), "pro").await.json();
    assert_eq!((ids(&back), &back["has_more"]), (vec![pro[1].clone()], &json!(true)));

    let one = get("/api/v1/models/claude-haiku-4-5?id=other", "free").await.json();
    assert_eq!(one["id"], "claude-haiku-4-5-20251001");
    for missing in ["claude-opus-5-5", "claude-nobody", ""] {
        let reply = get(&format!("/api/v1/models/{missing}"), "free").await;
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (404, &json!("not_found_error")), "{missing}");
    }
    assert!(deployment.claude.requests().is_empty());
}
