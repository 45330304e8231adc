use purser_tests::{deployment::Deployment, token};
use serde_json::json;

#[tokio::test]
async fn bad_input_gets_a_clear_answer_and_loses_nothing() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    let chat = |body: &str| deployment.call("POST", "/api/chat").bearer(&token).body(body.to_owned());
    chat("{\"message\":").send().await.assert_problem(400, "invalid_json");
    chat("").send().await.assert_problem(400, "invalid_json");
    let misfit = chat(r#"{"message":7}"#).send().await.assert_problem(422, "invalid_body");
    assert_eq!(misfit["pointer"], "/message");
    chat(r#"{"message":"x","model":"claude-nobody"}"#).send().await.assert_problem(404, "model_unknown");
    chat(r#"{"message":"x","model":"claude-fable-5-2"}"#).send().await.assert_problem(403, "model_not_allowed");
    chat(r#"{"message":"x","max_tokens":9000000}"#).send().await.assert_problem(422, "max_tokens_too_large");
    chat(r#"{"message":"x","max_tokens":0}"#).send().await.assert_problem(422, "invalid_body");
    let utf8 = deployment.call("POST", "/api/chat").bearer(&token).body(&b"{\"message\":\"\xff\"}"[..]).send().await;
    utf8.assert_problem(400, "invalid_json");
    let large = chat(&format!("{{\"message\":\"{}\"}}", "x".repeat(5_000_000))).send().await;
    large.assert_problem(413, "body_too_large");
    let long = chat(&json!({ "message": "x".repeat(400_000) }).to_string()).send().await;
    long.assert_problem(413, "prompt_too_long");
    let method = deployment.call("PUT", "/api/chat").send().await;
    method.assert_problem(405, "method_not_allowed");
    assert_eq!(method.header("allow"), "GET, POST, OPTIONS");
    deployment.call("GET", "/api/chat").send().await.assert_problem(404, "not_found");
    let usage = deployment.call("GET", "/api/usage").bearer(&token).send().await.json();
    assert_eq!(usage["limits"][0]["remaining"], 10);
    assert!(deployment.ledger().await.iter().all(|row| row.cost_nanousd == Some(0)), "nothing was spent");
    assert!(deployment.claude.requests().is_empty());
    assert!(deployment.store.list_conversations("user:ann", None, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_unless_they_are_listed() {
    let mut deployment = Deployment::new().await;
    deployment.set("ALLOWED_ORIGINS", "https://app.example");
    let foreign = deployment.call("GET", "/api/usage").header("origin", "https://evil.example").send().await;
    foreign.assert_problem(403, "forbidden");
    let listed = deployment.call("GET", "/api/usage").header("origin", "https://app.example").send().await;
    assert_eq!(listed.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(listed.header("vary"), "Origin");
    assert!(listed.header("access-control-expose-headers").contains("ratelimit"));
    let preflight = deployment
        .call("OPTIONS", "/api/chat")
        .header("origin", "https://app.example")
        .header("access-control-request-headers", "authorization, content-type")
        .send()
        .await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, "GET, POST, OPTIONS"));
    assert_eq!(preflight.header("access-control-allow-headers"), "authorization, content-type");
}

#[tokio::test]
async fn no_secret_and_no_prompt_reaches_the_log() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "free");
    deployment.chat(&token, json!({ "message": "a very private prompt" })).await;
    deployment.chat(&token, json!({ "message": "private [[standin: error=invalid_request_error status=400]]" })).await;
    deployment.call("POST", "/api/chat").bearer("forged-token").body("private").send().await;
    let lines = serde_json::to_string(&deployment.function("chat").lines()).unwrap();
    assert_eq!(deployment.function("chat").lines().len(), 3, "one line a request: {lines}");
    for planted in ["private", "sk-standin", "forged-token", token.as_str(), purser_tests::deployment::JWT_SECRET] {
        assert!(!lines.contains(planted), "{planted}: {lines}");
    }
    assert!(lines.contains("\"cost_nanousd\"") && lines.contains("\"invalid_token\""), "{lines}");
}
