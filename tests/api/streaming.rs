use purser_tests::{deployment::Deployment, token};
use serde_json::json;

/// Message start, block start, ping, five deltas, block stop, message delta, message stop.
const EVENTS: usize = 11;
const DELTAS: std::ops::RangeInclusive<usize> = 4..=8;

/// The stand-in makes no event before the test has seen what the one before it became.
#[tokio::test]
async fn every_event_reaches_the_client_before_the_next_one_is_made() {
    let deployment = Deployment::new().await;
    for (route, mark) in [("/api/v1/messages", "\n\n"), ("/api/chat", r#"{"type":"text-delta""#)] {
        let name = |event: usize| format!("{}-{event}", route.len());
        let gates: Vec<_> = (1..EVENTS).map(|event| format!("gate={}@{event}", name(event))).collect();
        deployment.claude.next(&format!("deltas=5 {}", gates.join(" ")));
        let body = match route {
            "/api/chat" => json!({ "model": "claude-haiku-5-5", "message": "Tell me" }),
            _ => {
                json!({ "model": "claude-haiku-5-5", "max_tokens": 900, "stream": true, "messages": [{ "role": "user", "content": "Tell me" }] })
            }
        };
        let (mut response, ended) =
            deployment.call("POST", route).bearer(&token::mint("ann", "pro")).json(&body).open().await;
        let mut seen = String::new();
        for event in 1..EVENTS {
            deployment.claude.gate_reached(&name(event)).await;
            let wanted = if route == "/api/chat" { DELTAS.filter(|delta| *delta <= event).count() } else { event };
            while seen.matches(mark).count() < wanted {
                let chunk = response.chunk().await.unwrap().unwrap();
                seen.push_str(std::str::from_utf8(&chunk).unwrap());
                assert!(!seen.contains(": keep-alive"), "event {event} is held back: {seen}");
            }
            deployment.claude.open_gate(&name(event));
        }
        while let Some(chunk) = response.chunk().await.unwrap() {
            seen.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        ended().await;
        assert!(seen.contains("message_stop") || seen.ends_with("data: [DONE]\n\n"), "{seen}");
    }
}

/// What has come at once goes out at once, and nothing of it is lost or changed.
#[tokio::test]
async fn a_burst_arrives_whole_and_in_order() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    deployment.claude.next("deltas=2000 thinking");
    let asked = json!({ "model": "claude-haiku-5-5", "max_tokens": 4096, "stream": true, "messages": [{ "role": "user", "content": "x" }] });
    let events = deployment.call("POST", "/api/v1/messages").bearer(&token).json(&asked).send().await.events();
    let text = |kind: &str| -> String { events.iter().filter_map(|event| event["delta"][kind].as_str()).collect() };
    deployment.claude.next("deltas=2000 thinking");
    let reply = deployment
        .call("POST", "/api/chat")
        .bearer(&token)
        .json(&json!({ "message": "x", "max_tokens": 4096 }))
        .send()
        .await;
    let told: String = reply
        .events()
        .iter()
        .filter(|one| one["type"] == "text-delta")
        .filter_map(|one| one["delta"].as_str())
        .collect();
    assert!(events.len() > 1_000 && !text("thinking").is_empty());
    assert_eq!(text("text").replace(char::is_numeric, ""), told.replace(char::is_numeric, ""));
    let rows = deployment.ledger().await;
    assert!(rows.iter().all(|row| row.source.as_deref() == Some("provider")), "{rows:?}");
}
