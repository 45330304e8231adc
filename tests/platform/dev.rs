use purser_tests::{
    deployment::{Cache, Deployment},
    packages::succeeds,
    token,
};
use serde_json::{Value, json};

use crate::{cli::Dev, upload::Upload};

/// `vercel dev` with a deployment behind it, and a caller.
struct Rig {
    dev: Dev,
    deployment: Deployment,
}

impl Rig {
    async fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> reqwest::Response {
        let request = purser::net::http_client().request(method.parse().unwrap(), self.dev.url(path));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        request.send().await.unwrap()
    }

    async fn status(&self, path: &str) -> u16 {
        self.send("GET", path, "", &Value::Null).await.status().as_u16()
    }
}

async fn json_of(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn vercel_dev_serves_streams_and_keeps_limits_though_every_request_is_a_process() {
    let upload = Upload::new();
    // Requests would build it all the same, while their clients wait.
    succeeds(upload.command("cargo").args(["build", "--bins", "-p", "purser-functions"]));
    let deployment = Deployment::with(Cache::Sqlite).await;
    let dev = Dev::start(&upload, deployment.environment.clone());
    let rig = Rig { dev, deployment };

    assert_eq!(rig.status("/api/health").await, 200);
    assert_eq!(rig.status("/").await, 200, "the page");
    for path in ["/Cargo.toml", "/lib/src/lib.rs", "/vercel.json", "/tests/run", "/.env.example", "/api/nothing"] {
        assert_eq!(rig.status(path).await, 404, "{path}");
    }
    events_come_as_they_are_made(&rig).await;
    a_path_parameter_is_the_paths(&rig).await;
    every_path_of_the_messages_api_reaches_its_function(&rig).await;
    the_sixth_anonymous_call_is_refused(&rig).await;
}

async fn events_come_as_they_are_made(rig: &Rig) {
    rig.deployment.claude.next("gate=dev");
    let body = json!({ "message": "Hi", "conversation_id": "kept" });
    let mut response = rig.send("POST", "/api/chat", &token::mint("ann", "pro"), &body).await;
    assert_eq!(response.headers()["x-vercel-ai-ui-message-stream"], "v1");
    let mut text = String::new();
    // Claude says no more before the gate is open: what comes now was not held back for what follows.
    while !text.contains("\"text-delta\"") {
        text.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
    }
    assert!(!text.contains("\"finish\""), "{text}");
    // Another process gives the running answer once more.
    let followed = rig.send("GET", "/api/chat/kept/stream?id=other", &token::mint("ann", "pro"), &Value::Null).await;
    assert_eq!(followed.status(), 200);
    rig.deployment.claude.open_gate("dev");
    text.push_str(&response.text().await.unwrap());
    assert_eq!(followed.text().await.unwrap(), text);
    assert!(text.contains("\"finish\"") && text.ends_with("data: [DONE]\n\n"), "{text}");
}

/// `vercel dev` lets a caller's own `?id=` stand before that of the path.
async fn a_path_parameter_is_the_paths(rig: &Rig) {
    let ann = token::mint("ann", "pro");
    let read = json_of(rig.send("GET", "/api/conversations/kept?id=other", &ann, &Value::Null).await).await;
    assert_eq!(read["messages"].as_array().map(Vec::len), Some(2), "{read}");
}

/// Rewrites bring them there, and the function sees the path as the caller wrote it.
async fn every_path_of_the_messages_api_reaches_its_function(rig: &Rig) {
    let ann = token::mint("ann", "pro");
    let body = json!({ "model": "claude-haiku-5-5", "messages": [{ "role": "user", "content": "Hi" }] });
    let counted = json_of(rig.send("POST", "/api/v1/messages/count_tokens", &ann, &body).await).await;
    assert!(counted["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{counted}");
    let models = json_of(rig.send("GET", "/api/v1/models?limit=2", &ann, &Value::Null).await).await;
    assert_eq!(models["data"].as_array().map(Vec::len), Some(2), "{models}");
    let model = json_of(rig.send("GET", "/api/v1/models/claude-haiku-4-5?id=other", &ann, &Value::Null).await).await;
    assert_eq!(model["id"], "claude-haiku-4-5-20251001", "{model}");
}

async fn the_sixth_anonymous_call_is_refused(rig: &Rig) {
    for call in 1..=6 {
        let response = rig.send("POST", "/api/chat", "", &json!({ "message": "Hi" })).await;
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert_eq!(status, if call <= 5 { 200 } else { 429 }, "call {call}: {text}");
    }
}
