use std::{sync::Arc, time::Instant};

use purser_tests::{
    deployment::{Cache, Deployment},
    function::Function,
    http::{Call, Reply},
    token,
};
use serde_json::{Value, json};

const STREAM: &str = "/api/chat/kept/stream";

/// Another instance of the chat function than the one that `Deployment::call` asks.
pub(crate) fn another(deployment: &Deployment) -> Arc<Function> {
    deployment.instance("chat", "DATABASE_POOL_MAX", "3")
}

pub(crate) fn resume(function: &Arc<Function>, token: &str) -> Call {
    Call::new(function.clone(), "GET", STREAM).bearer(token)
}

/// Makes a call that stops in the middle of its answer.
pub(crate) async fn answer_in_the_middle(
    deployment: &Deployment,
    token: &str,
    play: &str,
) -> (reqwest::Response, impl AsyncFnOnce()) {
    deployment.claude.next(&format!("gate=middle deltas=40 {play}"));
    let body = json!({ "message": "Tell me", "conversation_id": "kept" });
    let opened = deployment.call("POST", "/api/chat").bearer(token).json(&body).open().await;
    deployment.claude.gate_reached("middle").await;
    opened
}

/// What there is of a stream before the gate opens, from its beginning.
pub(crate) async fn first_part(response: &mut reqwest::Response) -> String {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-vercel-ai-ui-message-stream"], "v1");
    let mut text = String::new();
    while !text.contains("-delta") {
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.starts_with(r#"data: {"type":"start""#) && !text.contains("[DONE]"), "{text}");
    text
}

pub(crate) fn assert_nothing(reply: &Reply) {
    assert_eq!((reply.status, reply.text.as_str()), (204, ""));
}

pub(crate) fn events(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    lines.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn a_running_answer_is_followed_from_its_beginning_in_another_instance_twice_at_once() {
    for cache in [Cache::Redis, Cache::Upstash, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let (token, other) = (token::mint("ann", "pro"), another(&deployment));
        assert_nothing(&resume(&other, &token).send().await);
        let (response, ended) =
            answer_in_the_middle(&deployment, &token, "thinking text=\"Grüße, 世界: a long answer\"").await;
        let calls = [&other, &other, &deployment.function("chat")].map(|function| resume(function, &token).open());
        let mut followed = Vec::new();
        for mut opened in futures_util::future::join_all(calls).await {
            let begun = first_part(&mut opened.0).await;
            followed.push((begun, opened));
        }
        deployment.claude.open_gate("middle");
        let whole = response.text().await.unwrap();
        assert!(whole.ends_with("data: [DONE]\n\n") && whole.contains("世"), "{whole}");
        for (begun, (response, is_over)) in followed {
            assert_eq!(begun + &response.text().await.unwrap(), whole, "{cache:?}");
            is_over().await;
        }
        ended().await;
        for function in [&other, &deployment.function("chat")] {
            assert_nothing(&resume(function, &token).send().await);
        }
        let row = deployment.ledger().await.pop().unwrap();
        assert_eq!((row.state.as_str(), row.source.as_deref()), ("settled", Some("provider")));
        assert!(
            deployment.ledger().await.len() == 1 && deployment.claude.calls().len() == 1,
            "following costs nothing"
        );
    }
}

#[tokio::test]
async fn an_answer_whose_client_has_left_is_followed_to_its_end_and_kept() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let (token, other) = (token::mint("ann", "free"), another(&deployment));
        let (response, ended) = answer_in_the_middle(&deployment, &token, "").await;
        drop(response);
        let (mut response, _) = resume(&other, &token).open().await;
        let mut text = first_part(&mut response).await;
        deployment.claude.open_gate("middle");
        text.push_str(&response.text().await.unwrap());
        ended().await;
        let events = events(&text);
        assert_eq!(events.last().unwrap()["type"], "finish", "{text}");
        let read = deployment.call("GET", "/api/conversations/kept").bearer(&token).send().await.json();
        let told: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
        assert_eq!(read["messages"][1]["content"][0]["text"], told, "{cache:?}");
        assert_eq!(read["messages"][1]["id"], events[0]["messageId"]);
    }
}

#[tokio::test]
async fn an_answer_is_followed_twenty_times_at_most() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let token = token::mint("ann", "pro");
        let (response, ended) = answer_in_the_middle(&deployment, &token, "").await;
        let other = another(&deployment);
        let opened = futures_util::future::join_all((0..20).map(|_| resume(&other, &token).open())).await;
        assert!(opened.iter().all(|(response, _)| response.status() == 200));
        let refused = resume(&other, &token).send().await;
        refused.assert_problem(429, "too_many_in_flight");
        assert_eq!(refused.header("retry-after"), "30");
        deployment.claude.open_gate("middle");
        let whole = response.text().await.unwrap();
        for (followed, _) in opened {
            assert_eq!(followed.text().await.unwrap(), whole);
        }
        ended().await;
    }
}

#[tokio::test]
async fn an_answer_is_followed_before_its_first_byte() {
    let deployment = Deployment::new().await;
    let (token, other) = (token::mint("ann", "pro"), another(&deployment));
    deployment.claude.next("gate=early@0");
    let body = json!({ "message": "Tell me", "conversation_id": "kept" });
    let call = deployment.call("POST", "/api/chat").bearer(&token).json(&body).send();
    let follow = async {
        deployment.claude.gate_reached("early").await;
        let (response, _) = resume(&other, &token).open().await;
        deployment.claude.open_gate("early");
        (response.status(), response.text().await.unwrap())
    };
    let (reply, followed) = tokio::join!(call, follow);
    assert_eq!(followed, (reqwest::StatusCode::OK, reply.text));
}

#[tokio::test]
async fn nobody_elses_answer_is_followed_and_nobody_can_tell_that_there_is_one() {
    let deployment = Deployment::new().await;
    let (token, other) = (token::mint("ann", "pro"), another(&deployment));
    let (response, ended) = answer_in_the_middle(&deployment, &token, "").await;
    for stranger in ["", &token::mint("bob", "pro"), &token::mint("kept", "free")] {
        let from = Instant::now();
        let foreign = resume(&other, stranger).send().await;
        assert_nothing(&foreign);
        let unknown = Call::new(other.clone(), "GET", "/api/chat/unknown/stream").bearer(stranger).send().await;
        assert_nothing(&unknown);
        let names = |reply: &Reply| reply.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&foreign), names(&unknown));
        assert!(from.elapsed().as_secs_f64() < 1.0, "the time that it takes tells of it");
    }
    for path in ["/api/chat//stream", "/api/chat/%00/stream", "/api/chat/kept%2F/stream"] {
        assert_nothing(&Call::new(other.clone(), "GET", path).bearer(&token).send().await);
    }
    for path in ["/api/chat/kept", "/api/chat/%ff/stream", "/api/chat"] {
        let reply = Call::new(other.clone(), "GET", path).bearer(&token).send().await;
        reply.assert_problem(404, "not_found");
    }
    let post = Call::new(other.clone(), "POST", STREAM).bearer(&token).json(&json!({ "message": "Hi" }));
    post.send().await.assert_problem(404, "not_found");
    deployment.claude.open_gate("middle");
    drop(response);
    ended().await;
    assert_eq!(deployment.ledger().await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_given_as_json_is_not_followed() {
    let deployment = Deployment::new().await;
    let (token, other) = (token::mint("ann", "pro"), another(&deployment));
    deployment.claude.next("gate=middle");
    let body = json!({ "message": "Tell me", "conversation_id": "kept" });
    let follow = async {
        deployment.claude.gate_reached("middle").await;
        let reply = resume(&other, &token).send().await;
        deployment.claude.open_gate("middle");
        reply
    };
    let (reply, followed) = tokio::join!(deployment.chat(&token, body), follow);
    assert_eq!(reply.status, 200);
    assert_nothing(&followed);
}
