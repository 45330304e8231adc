use std::{sync::Arc, time::Instant};

use purser_tests::{
    deployment::{Cache, Deployment},
    function::Function,
    http::{Call, Reply},
    relay::CountingRelay,
    services, token,
};
use serde_json::{Value, json};

const STREAM: &str = "/api/chat/kept/stream";

/// Another instance of the chat function than the one that `Deployment::call` asks.
fn another(deployment: &Deployment) -> Arc<Function> {
    deployment.instance("chat", "DATABASE_POOL_MAX", "3")
}

fn resume(function: &Arc<Function>, token: &str) -> Call {
    Call::new(function.clone(), "GET", STREAM).bearer(token)
}

/// Makes a call that stops in the middle of its answer.
async fn answer_in_the_middle(
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
async fn first_part(response: &mut reqwest::Response) -> String {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-vercel-ai-ui-message-stream"], "v1");
    let mut text = String::new();
    while !text.contains("-delta") {
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.starts_with(r#"data: {"type":"start""#) && !text.contains("[DONE]"), "{text}");
    text
}

fn assert_nothing(reply: &Reply) {
    assert_eq!((reply.status, reply.text.as_str()), (204, ""));
}

fn events(text: &str) -> Vec<Value> {
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

#[tokio::test]
async fn the_stream_of_an_answer_whose_process_is_killed_ends_with_an_error() {
    for cache in [Cache::Redis, Cache::Sqlite] {
        let deployment = Deployment::with(cache).await;
        let (token, other) = (token::mint("ann", "pro"), another(&deployment));
        let mut function = Function::start("chat", &deployment.environment);
        deployment.claude.next("gate=middle deltas=40");
        let request = crate::durability::client()
            .post(function.url("/api/chat"))
            .header("authorization", format!("Bearer {token}"))
            .body(json!({ "message": "Hi", "conversation_id": "kept" }).to_string());
        let response = request.send().await.unwrap();
        deployment.claude.gate_reached("middle").await;
        let (mut followed, is_over) = resume(&other, &token).open().await;
        let mut text = first_part(&mut followed).await;
        function.kill();
        drop(response);
        let from = Instant::now();
        text.push_str(&followed.text().await.unwrap());
        is_over().await;
        assert!(from.elapsed().as_secs() < 20, "{:?}", from.elapsed());
        let last = events(&text).pop().unwrap();
        assert_eq!(last["type"], "error", "{text}");
        assert!(last["errorText"].as_str().unwrap().contains("cannot be followed any more"));
        assert!(text.ends_with("data: [DONE]\n\n"));
    }
}

#[tokio::test]
async fn an_answer_of_a_process_that_died_unseen_is_not_running() {
    let deployment = Deployment::new().await;
    let (token, other) = (token::mint("ann", "pro"), another(&deployment));
    let mut function = Function::start("chat", &deployment.environment);
    deployment.claude.next("gate=middle");
    let request = crate::durability::client()
        .post(function.url("/api/chat"))
        .header("authorization", format!("Bearer {token}"))
        .body(json!({ "message": "Hi", "conversation_id": "kept" }).to_string());
    let response = request.send().await.unwrap();
    deployment.claude.gate_reached("middle").await;
    function.kill();
    drop(response);
    assert_eq!(deployment.ledger().await[0].state, "reserved");
    assert_nothing(&resume(&other, &token).send().await);
}

#[tokio::test]
async fn a_recording_survives_a_redis_that_forgets_and_does_not_outlive_its_use() {
    let deployment = Deployment::new().await;
    let (token, other) = (token::mint("ann", "pro"), another(&deployment));
    let (response, ended) = answer_in_the_middle(&deployment, &token, "").await;
    let (mut before, _) = resume(&other, &token).open().await;
    let mut text = first_part(&mut before).await;
    deployment.empty_redis().await;
    let (mut after, _) = resume(&other, &token).open().await;
    let mut again = first_part(&mut after).await;
    deployment.claude.open_gate("middle");
    let whole = response.text().await.unwrap();
    text.push_str(&before.text().await.unwrap());
    again.push_str(&after.text().await.unwrap());
    assert_eq!((&text, &again), (&whole, &whole));
    ended().await;

    let client = redis::Client::open(services::redis_url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("{}recording:*", deployment.prefix);
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
    assert!(keys.len() >= 2, "{keys:?}");
    for key in keys {
        let left_ms: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        // Of the wish, nothing but a number is kept.
        let most_ms = if key.ends_with(":wanted") { 300_000 } else { 60_000 };
        assert!((1..=most_ms).contains(&left_ms), "{key}: {left_ms}");
    }
}

#[tokio::test]
async fn without_redis_nothing_is_followed_and_nothing_hangs() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    let redis = CountingRelay::start(&services::redis_url());
    let other = deployment.instance("chat", "REDIS_URL", &redis.url);
    let (response, ended) = answer_in_the_middle(&deployment, &token, "").await;
    let (mut followed, is_over) = resume(&other, &token).open().await;
    let mut text = first_part(&mut followed).await;
    redis.cut();
    text.push_str(&followed.text().await.unwrap());
    is_over().await;
    assert_eq!(events(&text).pop().unwrap()["type"], "error", "{text}");
    resume(&other, &token).send().await.assert_problem(503, "limiter_unavailable");
    redis.mend();
    let (mut followed, _) = resume(&other, &token).open().await;
    let begun = first_part(&mut followed).await;
    deployment.claude.open_gate("middle");
    assert_eq!(begun + &followed.text().await.unwrap(), response.text().await.unwrap());
    ended().await;
}

#[tokio::test]
async fn asking_for_a_running_answer_takes_one_postgres_round_trip_and_no_redis_where_none_is_running() {
    let mut deployment = Deployment::new().await;
    let redis = CountingRelay::start(&services::redis_url());
    let postgres = CountingRelay::start(&services::postgres_url());
    let url = deployment.environment["DATABASE_URL"].replace(&services::postgres_url(), &postgres.url);
    deployment.set("DATABASE_URL", &url);
    deployment.set("REDIS_URL", &redis.url);
    let other = another(&deployment);
    let ann = deployment.person("ann").await;
    for token in [token::mint("ann", "pro"), ann.access] {
        // The first one opens connections.
        assert_nothing(&resume(&other, &token).send().await);
        let before = (redis.round_trips(), postgres.round_trips());
        assert_nothing(&resume(&other, &token).send().await);
        assert_eq!((redis.round_trips() - before.0, postgres.round_trips() - before.1), (0, 1));
        let (response, ended) = answer_in_the_middle(&deployment, &token, "").await;
        let before = postgres.round_trips();
        let (mut followed, is_over) = resume(&other, &token).open().await;
        first_part(&mut followed).await;
        assert_eq!(postgres.round_trips() - before, 1);
        deployment.claude.open_gate("middle");
        assert!(followed.text().await.unwrap().ends_with("data: [DONE]\n\n"));
        response.text().await.unwrap();
        is_over().await;
        ended().await;
        deployment.claude.forget();
    }
}

#[tokio::test]
async fn a_session_that_has_ended_follows_nothing() {
    let deployment = Deployment::new().await;
    let other = another(&deployment);
    let ann = deployment.person("ann").await;
    let (response, ended) = answer_in_the_middle(&deployment, &ann.access, "").await;
    let out = deployment.call("DELETE", "/api/auth/session").bearer(&ann.access).send().await;
    assert_eq!(out.status, 204, "{}", out.text);
    resume(&other, &ann.access).send().await.assert_problem(401, "session_revoked");
    deployment.claude.open_gate("middle");
    drop(response);
    ended().await;
}
