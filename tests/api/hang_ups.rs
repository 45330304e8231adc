use purser_tests::{deployment::Deployment, token};
use serde_json::json;

#[tokio::test]
async fn a_client_that_hangs_up_pays_for_the_whole_answer_and_finds_it_later() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    for (number, route) in ["/api/chat", "/api/v1/messages"].into_iter().enumerate() {
        let gate = format!("hang-up-{number}");
        deployment.claude.next(&format!("gate={gate} deltas=50"));
        let body = match route {
            "/api/chat" => json!({ "message": "Tell me", "conversation_id": "kept" }),
            _ => {
                json!({ "model": "claude-haiku-5-5", "max_tokens": 900, "stream": true, "messages": [{ "role": "user", "content": "Tell me" }] })
            }
        };
        let (mut response, ended) = deployment.call("POST", route).bearer(&token).json(&body).open().await;
        assert!(response.chunk().await.unwrap().is_some(), "the answer has begun");
        deployment.claude.gate_reached(&gate).await;
        drop(response);
        deployment.claude.open_gate(&gate);
        ended().await;
        let row = deployment.ledger().await.pop().unwrap();
        assert_eq!((row.source.as_deref(), row.outcome.as_deref()), (Some("provider"), Some("completed")), "{route}");
        assert!(row.output_tokens > 10);
        let billed = serde_json::to_value(deployment.claude.calls().pop().unwrap()).unwrap();
        assert_eq!(billed["usage"]["output_tokens"], row.output_tokens, "{billed}");
    }
    let read = deployment.call("GET", "/api/conversations/kept").bearer(&token).send().await.json();
    assert_eq!(read["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_call_that_is_not_streamed_survives_its_client_too() {
    let deployment = Deployment::new().await;
    let token = token::mint("ann", "pro");
    deployment.claude.next("gate=whole");
    let function = deployment.function("v1-messages");
    let body =
        json!({ "model": "claude-haiku-5-5", "max_tokens": 50, "messages": [{ "role": "user", "content": "Hi" }] })
            .to_string();
    let head = format!(
        "POST /api/v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\
         x-vercel-internal-invocation-id: i\r\nx-vercel-internal-request-id: 900\r\n\r\n{body}",
        body.len()
    );
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", function.port())).unwrap();
    std::io::Write::write_all(&mut socket, head.as_bytes()).unwrap();
    deployment.claude.gate_reached("whole").await;
    drop(socket);
    deployment.claude.open_gate("whole");
    deployment.claude.settled(1).await;
    tokio::task::spawn_blocking(move || function.wait_for_end(900)).await.unwrap();
    let row = &deployment.ledger().await[0];
    assert_eq!((row.state.as_str(), row.source.as_deref()), ("settled", Some("provider")));
}
