use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use purser::store::Statement;
use purser_tests::{account::Person, deployment::Deployment, relay::CountingRelay, services, token};
use serde_json::json;

/// A minted token, an access token of a session, and an API key, each warm.
#[tokio::test]
async fn a_warm_chat_call_takes_one_redis_and_one_postgres_round_trip_before_claude() {
    let mut deployment = Deployment::new().await;
    let redis = CountingRelay::start(&services::redis_url());
    let postgres = CountingRelay::start(&services::postgres_url());
    let url = deployment.environment["DATABASE_URL"].replace(&services::postgres_url(), &postgres.url);
    deployment.set("DATABASE_URL", &url);
    deployment.set("REDIS_URL", &redis.url);
    let person = deployment.person("ann").await;
    let key = deployment.api_key(&person).await;
    // A key names no plan: its process learns it once.
    let pro = Statement::new("update users set plan = 'pro'", []);
    deployment.store.rows(pro).await.unwrap();
    let renewed = Person::of(&deployment.refresh(&person.refresh).await.json());
    for token in [token::mint("ann", "pro"), renewed.access, key] {
        for _ in 0..2 {
            let warm = deployment.chat(&token, json!({ "message": "warm up", "conversation_id": "c" })).await;
            assert!(warm.header("ratelimit-policy").contains("pro-requests"), "{}", warm.text);
        }
        let mut taken = Vec::new();
        for gate in ["counted-1", "counted-2", "counted-3"] {
            deployment.claude.next(&format!("gate={gate}"));
            let (before_redis, before_postgres) = (redis.round_trips(), postgres.round_trips());
            let body = json!({ "message": "Hi", "conversation_id": "c" });
            let (response, ended) = deployment.call("POST", "/api/chat").bearer(&token).json(&body).open().await;
            deployment.claude.gate_reached(gate).await;
            taken.push((redis.round_trips() - before_redis, postgres.round_trips() - before_postgres));
            deployment.claude.open_gate(gate);
            response.text().await.unwrap();
            ended().await;
        }
        // On a busy machine a piece of one may come so late that it looks like two.
        assert!(taken.contains(&(1, 1)), "{} {taken:?}", &token[..9]);
    }
}

/// The runtime accepts connections with Nagle's algorithm on; ours turns it off on the listener.
#[tokio::test]
async fn the_second_request_of_a_connection_is_not_held_back() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    let function = deployment.function("chat");
    let gaps = tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(("127.0.0.1", function.port())).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let body = json!({ "message": "[[standin: deltas=12 delta_ms=7]]" }).to_string();
        let head = format!(
            "POST /api/chat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut fastest = Vec::new();
        for _ in 0..6 {
            socket.write_all(head.as_bytes()).unwrap();
            fastest.push(largest_gap(&mut socket));
        }
        fastest.split_off(1)
    })
    .await
    .unwrap();
    // A stall of Nagle's is 40 ms in every answer; a busy machine may delay some of them.
    let least = gaps.iter().min().unwrap();
    assert!(*least < Duration::from_millis(35), "{gaps:?}");
}

/// Reads one chunked answer and gives the longest time between two reads.
fn largest_gap(socket: &mut TcpStream) -> Duration {
    let (mut seen, mut buffer, mut largest, mut last) = (Vec::new(), [0_u8; 4096], Duration::ZERO, None::<Instant>);
    loop {
        let read = socket.read(&mut buffer).unwrap();
        assert!(read > 0);
        let now = Instant::now();
        if let Some(last) = last.replace(now) {
            largest = largest.max(now - last);
        }
        seen.extend_from_slice(&buffer[..read]);
        if seen.ends_with(b"\r\n0\r\n\r\n") {
            return largest;
        }
    }
}
