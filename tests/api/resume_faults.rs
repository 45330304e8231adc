use std::time::{Duration, Instant};

use purser_tests::{
    deployment::{Cache, Deployment},
    function::Function,
    relay::CountingRelay,
    services, token,
};
use serde_json::json;

use crate::resume::{another, answer_in_the_middle, assert_nothing, events, first_part, resume};

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
    let from = Instant::now();
    text.push_str(&followed.text().await.unwrap());
    is_over().await;
    assert_eq!(events(&text).pop().unwrap()["type"], "error", "{text}");
    resume(&other, &token).send().await.assert_problem(503, "limiter_unavailable");
    redis.mend();
    // Whoever keeps from asking a Redis that is away finds out a moment later that it is back.
    let mut followed = loop {
        let (followed, _) = resume(&other, &token).open().await;
        if followed.status() == 200 {
            break followed;
        }
        assert_eq!(followed.status(), 503);
        assert!(from.elapsed() < Duration::from_secs(20), "it stays away");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
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
        let mut taken = Vec::new();
        for _ in 0..3 {
            let before = (redis.round_trips(), postgres.round_trips());
            assert_nothing(&resume(&other, &token).send().await);
            taken.push((redis.round_trips() - before.0, postgres.round_trips() - before.1));
        }
        // On a busy machine a piece of one may come so late that it looks like two.
        assert!(taken.contains(&(0, 1)), "{taken:?}");
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
