//! Without Redis calls go on: within this instance's share, waiting for nobody, and counted once afterwards.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc,
    time::{Duration, Instant},
};

use purser_tests::{
    deployment::{Cache, Deployment},
    http::Reply,
    private_redis::PrivateRedis,
    relay::CountingRelay,
    services, token,
};
use serde_json::{Value, json};

/// A deployment with a Redis that can be hung or killed.
pub(crate) async fn with_private_redis() -> (Deployment, PrivateRedis) {
    let redis = PrivateRedis::start();
    let mut deployment = Deployment::new().await;
    deployment.set("REDIS_URL", &redis.url());
    deployment.set("REDIS_DEADLINE_MS", "200");
    (deployment, redis)
}

fn is_degraded(reply: &Reply) -> bool {
    reply.header("x-purser-degraded") == "limiter"
}

/// Calls until one is taken by the limiter again, each a caller of its own; how many were not.
pub(crate) async fn until_back(deployment: &Deployment) -> usize {
    let until = Instant::now() + Duration::from_secs(30);
    for number in 0.. {
        let reply = deployment.message(&token::mint(&format!("back{number}"), "pro"), 100).await;
        assert!(Instant::now() < until, "Redis is not found again: {}", reply.text);
        if reply.status == 200 && !is_degraded(&reply) {
            return number;
        }
    }
    0
}

/// What a function has said loudly about outages.
fn events(deployment: &Deployment, function: &str) -> Vec<Value> {
    let lines = deployment.function(function).lines();
    lines
        .into_iter()
        .filter(|line| line["event"].as_str().is_some_and(|event| event.starts_with("degraded_")))
        .collect()
}

fn spoken(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["event"].as_str()).collect()
}

#[tokio::test]
async fn without_redis_calls_go_on_within_the_share_of_one_instance() {
    let mut deployment = Deployment::new().await;
    deployment.set("REDIS_URL", "redis://127.0.0.1:9");
    let free = token::mint("ann", "free");
    for _ in 0..2 {
        let reply = deployment.chat(&free, json!({ "message": "Hi", "conversation_id": "one" })).await;
        assert_eq!((reply.status, is_degraded(&reply)), (200, true), "{}", reply.text);
    }
    let refused = deployment.chat(&free, json!({ "message": "Hi" })).await;
    let problem = refused.assert_problem(429, "limit_exceeded");
    assert_eq!(problem["violated-policies"], json!(["free-requests"]), "ten among four instances");
    assert!(is_degraded(&refused));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "Redis may be back at any moment: {wait}");
    // A slot comes back when its call ends: four among four instances is one.
    let anonymous = || deployment.chat("", json!({ "message": "Hi" }));
    assert_eq!(anonymous().await.status, 200);
    anonymous().await.assert_problem(429, "limit_exceeded");
    assert_eq!(deployment.ledger().await.len(), 3);
    // Reading goes on, and what is not known is not told.
    let usage = deployment.call("GET", "/api/usage").bearer(&free).send().await;
    assert_eq!((usage.status, is_degraded(&usage)), (200, true), "{}", usage.text);
    assert_eq!((&usage.json()["limits"], &usage.json()["totals"]["calls"]), (&json!([]), &json!(2)), "{}", usage.text);
    let read = deployment.call("GET", "/api/conversations/one").bearer(&free).send().await;
    assert_eq!(read.json()["messages"].as_array().unwrap().len(), 4, "{}", read.text);
    let counted = deployment.call("POST", "/api/v1/messages/count_tokens").bearer(&free);
    let body = json!({ "model": "claude-haiku-5-5", "messages": [{ "role": "user", "content": "Hi" }] });
    assert_eq!(counted.json(&body).send().await.status, 200);
}

#[tokio::test]
async fn a_share_is_never_less_than_one_and_more_where_there_are_fewer_instances() {
    let mut deployment = Deployment::new().await;
    deployment.set("REDIS_URL", "redis://127.0.0.1:9");
    for (instances, admitted) in [("1", 10), ("3", 3), ("500", 1)] {
        let function = deployment.instance("chat", "EXPECTED_INSTANCES", instances);
        let mut passed = 0;
        for _ in 0..11 {
            let call = purser_tests::http::Call::new(function.clone(), "POST", "/api/chat");
            let call = call.bearer(&token::mint("ann", "free")).header("accept", "application/json");
            passed += usize::from(call.json(&json!({ "message": "Hi" })).send().await.status == 200);
        }
        assert_eq!(passed, admitted, "{instances}");
    }
}

#[tokio::test]
async fn a_redis_that_hangs_is_waited_for_once_and_afterwards_all_is_counted_once() {
    let (mut deployment, redis) = with_private_redis().await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", "5");
    let ann = token::mint("ann", "free");
    let before = deployment.message(&ann, 100).await;
    assert_eq!((before.status, is_degraded(&before)), (200, false), "{}", before.text);
    redis.hang();
    let timed = async |token: String| {
        let begun = Instant::now();
        let call = deployment.call("POST", "/api/v1/messages").bearer(&token);
        let body = json!({
            "model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{ "role": "user", "content": "Hi" }],
        });
        let (response, ended) = call.json(&body).open().await;
        let took = begun.elapsed();
        assert_eq!(response.status(), 200);
        drop(response.text().await.unwrap());
        ended().await;
        took
    };
    // How long a call takes when nobody waits: the quickest of several.
    let first = timed(ann.clone()).await;
    let mut later = Vec::new();
    for number in 0..12 {
        later.push(timed(token::mint(&format!("user{number}"), "free")).await);
    }
    later.sort();
    assert!(first < later[6] + Duration::from_millis(300), "{first:?} {later:?}");
    assert!(later[10] < Duration::from_millis(200), "nobody waits any more: {later:?}");
    redis.go_on();
    until_back(&deployment).await;
    let said = events(&deployment, "v1-messages");
    assert_eq!(spoken(&said), ["degraded_in", "degraded_out"], "{said:?}");
    assert!(said.iter().all(|line| line["level"] == "error"), "loudly: {said:?}");
    let found = deployment.reconcile().await;
    assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{found}");
    // Two of ann's ten calls, one of them taken without Redis, are in her hour.
    let usage = deployment.call("GET", "/api/usage").bearer(&ann).send().await.json();
    assert_eq!(usage["limits"][0]["remaining"], 8, "{usage}");
    let in_flight = usage["limits"].as_array().unwrap().iter().find(|one| one["policy"] == "in-flight").unwrap();
    assert_eq!(in_flight["remaining"], 4, "{usage}");
}

#[tokio::test]
async fn a_redis_that_dies_and_comes_back_empty_is_told_what_it_missed() {
    let (mut deployment, mut redis) = with_private_redis().await;
    deployment.set("CLAUDE_BUDGET_MONTH_USD", "50");
    let ann = token::mint("ann", "free");
    assert_eq!(deployment.message(&ann, 100).await.status, 200);
    redis.kill();
    for _ in 0..2 {
        let reply = deployment.message(&ann, 100).await;
        assert_eq!((reply.status, is_degraded(&reply)), (200, true), "{}", reply.text);
    }
    redis.start_again();
    until_back(&deployment).await;
    assert_eq!(spoken(&events(&deployment, "v1-messages")), ["degraded_in", "degraded_out"]);
    let usage = deployment.call("GET", "/api/usage").bearer(&ann).send().await.json();
    assert_eq!(usage["limits"][0]["remaining"], 8, "what it had seen itself is gone with it: {usage}");
    let budgets = deployment.reconcile().await["differences"].clone();
    let of_budgets = budgets.as_array().unwrap().iter().filter(|one| one["of"].as_str().unwrap().starts_with("budget"));
    assert_eq!(of_budgets.count(), 0, "{budgets}");
    assert_eq!(deployment.reconcile().await["differences"], json!([]), "the hashes of before are rebuilt");
}

#[tokio::test]
async fn an_upstash_whose_quota_is_used_up_is_away() {
    let mut deployment = Deployment::with(Cache::Upstash).await;
    deployment.set("CLAUDE_BUDGET_DAY_USD", "5");
    let ann = token::mint("ann", "pro");
    assert_eq!(deployment.message(&ann, 100).await.status, 200);
    let double = deployment.upstash.as_ref().unwrap();
    double.set_error(Some("ERR max daily request limit exceeded. Limit: 10000, Usage: 10000."));
    for _ in 0..3 {
        let reply = deployment.message(&ann, 100).await;
        assert_eq!((reply.status, is_degraded(&reply)), (200, true), "{}", reply.text);
    }
    double.set_error(None);
    until_back(&deployment).await;
    assert_eq!(spoken(&events(&deployment, "v1-messages")), ["degraded_in", "degraded_out"]);
    let found = deployment.reconcile().await;
    assert_eq!((&found["differences"], &found["in_motion"]), (&json!([]), &json!(0)), "{found}");
}

#[tokio::test]
async fn somebody_who_has_signed_out_stays_out_without_redis() {
    let mut deployment = Deployment::new().await;
    let (ann, bob) = (deployment.person("ann").await, deployment.person("bob").await);
    let out = deployment.call("DELETE", "/api/auth/session").bearer(&ann.access).send().await;
    assert_eq!(out.status, 204, "{}", out.text);
    deployment.set("REDIS_URL", "redis://127.0.0.1:9");
    for name in ["chat", "usage", "conversations"] {
        deployment.restart(name);
    }
    deployment.chat(&ann.access, json!({ "message": "Hi" })).await.assert_problem(401, "session_revoked");
    deployment.call("GET", "/api/usage").bearer(&ann.access).send().await.assert_problem(401, "session_revoked");
    assert!(deployment.claude.requests().is_empty());
    // Another plan than the token names is found in the store.
    let change = "update users set plan = 'pro' where id = $1";
    deployment.store.rows(purser::store::Statement::new(change, [bob.id.as_str().into()])).await.unwrap();
    let reply = deployment.chat(&bob.access, json!({ "message": "Hi", "model": "claude-opus-5-5" })).await;
    assert_eq!((reply.status, is_degraded(&reply)), (200, true), "{}", reply.text);
}

/// Takes POSTs and gives their bodies.
pub(crate) fn receiver() -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let (mut read, mut buffer) = (Vec::new(), [0_u8; 4_096]);
            let body = loop {
                let count = socket.read(&mut buffer).unwrap_or(0);
                read.extend_from_slice(&buffer[..count]);
                let text = String::from_utf8_lossy(&read).into_owned();
                let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                if body.is_some() || count == 0 {
                    break body;
                }
            };
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if body.is_none_or(|body: Value| sender.send(body).is_err()) {
                return;
            }
        }
    });
    (url, bodies)
}

#[tokio::test]
async fn the_owner_is_told_once_that_it_began_and_once_that_it_is_over() {
    let (url, bodies) = receiver();
    let relay = CountingRelay::start(&services::redis_url());
    let mut deployment = Deployment::new().await;
    deployment.set("REDIS_URL", &relay.url);
    deployment.set("ALERT_WEBHOOK_URL", &url);
    assert_eq!(deployment.message(&token::mint("ann", "pro"), 100).await.status, 200);
    relay.cut();
    for _ in 0..5 {
        assert_eq!(deployment.message(&token::mint("ann", "pro"), 100).await.status, 200);
    }
    relay.mend();
    until_back(&deployment).await;
    let told: Vec<Value> = bodies.try_iter().collect();
    assert_eq!(spoken(&told), ["degraded_in", "degraded_out"], "{told:?}");
    assert!(told.iter().all(|one| one["text"].as_str().unwrap().starts_with("Purser: Redis is ")), "{told:?}");
    let said = format!("{told:?}{:?}", deployment.function("v1-messages").lines());
    assert!(!said.contains(&url), "its address is a secret");
}
