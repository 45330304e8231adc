//! Plans on which a call ends with its client.

use std::time::{Duration, Instant};

use purser_tests::{deployment::Deployment, token};
use serde_json::{Value, json};

async fn stopping() -> Deployment {
    let mut deployment = Deployment::new().await;
    deployment.set("PURSER_HANG_UP", "stop");
    deployment.set("PLAN_BUDGETS_USD", "pro.user-day=5");
    deployment
}

fn body(route: &str, stream: bool) -> Value {
    match route {
        "/api/chat" => json!({ "message": "Tell me", "conversation_id": "kept", "model": "claude-haiku-5-5" }),
        _ => json!({
            "model": "claude-haiku-5-5", "max_tokens": 900, "stream": stream,
            "messages": [{ "role": "user", "content": "Tell me" }],
        }),
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_stops_claude_at_once_and_pays_for_what_was_sent() {
    let deployment = stopping().await;
    let token = token::mint("ann", "pro");
    for (number, route) in ["/api/chat", "/api/v1/messages"].into_iter().enumerate() {
        // It never opens: only the client's leaving can end this call.
        let gate = format!("stop-{number}");
        deployment.claude.next(&format!("gate={gate}@12 deltas=50 text=\"{}\"", "and ".repeat(400)));
        let call = deployment.call("POST", route).bearer(&token).json(&body(route, true));
        let (mut response, ended) = call.open().await;
        assert!(response.chunk().await.unwrap().is_some(), "the answer has begun");
        deployment.claude.gate_reached(&gate).await;
        let hung_up = Instant::now();
        drop(response);
        ended().await;
        let bill = deployment.claude.settled(number + 1).await;
        assert!(hung_up.elapsed() < Duration::from_secs(5), "{route}: {:?}", hung_up.elapsed());
        let row = deployment.ledger().await.pop().unwrap();
        assert_eq!((row.source.as_deref(), row.outcome.as_deref()), (Some("counted"), Some("cut")), "{route}");
        assert!(row.is_client_gone, "{route}");
        let billed = &bill[number].usage;
        assert_eq!(
            u64::try_from(row.input_tokens).unwrap(),
            billed.input_tokens,
            "{route}: the prompt is known exactly"
        );
        assert!(u64::try_from(row.output_tokens).unwrap() >= billed.output_tokens, "{route}: {row:?} {billed:?}");
        assert!(row.output_tokens > 10 && row.output_tokens < 400, "{route}: no more than came: {row:?}");
        assert_eq!(row.cost_nanousd, Some(row.input_tokens * 100 + row.output_tokens * 500), "{route}");
    }
    let read = deployment.call("GET", "/api/conversations/kept").bearer(&token).send().await.json();
    assert_eq!(read["messages"].as_array().unwrap().len(), 2, "what came is kept: {read}");
    let usage = deployment.call("GET", "/api/usage").bearer(&token).send().await.json();
    let spent: i64 = deployment.ledger().await.iter().map(|row| row.cost_nanousd.unwrap()).sum();
    let budget = usage["limits"].as_array().unwrap().iter().find(|one| one["policy"] == "user-day").unwrap();
    assert_eq!(budget["remaining"], 5_000_000_000 - spent, "nothing is held any more");
    assert_eq!(deployment.reconcile().await["differences"], json!([]));
}

/// A client that leaves before it has been answered anything.
async fn leaves_unanswered(deployment: &Deployment, stream: bool, gate: &str, more: &str) {
    deployment.claude.next(&format!("gate={gate}@0 {more} deltas=50"));
    let function = deployment.function("v1-messages");
    let invocation = function.next_invocation();
    let (token, body) = (token::mint("ann", "pro"), body("/api/v1/messages", stream).to_string());
    let head = format!(
        "POST /api/v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\
         x-vercel-internal-invocation-id: i\r\nx-vercel-internal-request-id: {invocation}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", function.port())).unwrap();
    std::io::Write::write_all(&mut socket, head.as_bytes()).unwrap();
    deployment.claude.gate_reached(gate).await;
    drop(socket);
    deployment.claude.open_gate(gate);
    tokio::task::spawn_blocking(move || function.wait_for_end(invocation)).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_pays_for_its_prompt_exactly_and_not_the_ceiling() {
    let deployment = stopping().await;
    leaves_unanswered(&deployment, true, "early", "gate=never@6").await;
    let row = &deployment.ledger().await[0];
    let billed = &deployment.claude.settled(1).await[0].usage;
    assert_eq!(row.source.as_deref(), Some("counted"), "{row:?}");
    assert_eq!(u64::try_from(row.input_tokens).unwrap(), billed.input_tokens, "{row:?}");
    assert!(u64::try_from(row.output_tokens).unwrap() >= billed.output_tokens, "{row:?} {billed:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_is_read_to_its_end_because_nothing_of_it_can_be_counted() {
    let deployment = stopping().await;
    leaves_unanswered(&deployment, false, "whole", "").await;
    let row = &deployment.ledger().await[0];
    assert_eq!((row.source.as_deref(), row.outcome.as_deref()), (Some("provider"), Some("completed")), "{row:?}");
    let billed = &deployment.claude.settled(1).await[0].usage;
    assert_eq!(u64::try_from(row.output_tokens).unwrap(), billed.output_tokens);
}
