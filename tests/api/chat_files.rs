use base64::{Engine as _, engine::general_purpose::STANDARD};
use purser_tests::{deployment::Deployment, http::Reply, token};
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

fn file(kind: &str, bytes: &[u8]) -> Value {
    let url = format!("data:{kind};base64,{}", STANDARD.encode(bytes));
    json!({ "type": "file", "mediaType": kind, "filename": "a file", "url": url })
}

fn picture(bytes: usize) -> Value {
    file("image/png", &[PNG, &vec![7; bytes]].concat())
}

async fn send(deployment: &Deployment, plan: &str, id: &str, parts: &[Value]) -> Reply {
    let message = json!({ "id": id, "role": "user", "parts": parts });
    deployment.chat(&token::mint("ann", plan), json!({ "id": "c", "messages": [message] })).await
}

fn sent(deployment: &Deployment, path: &str) -> Vec<Value> {
    let requests = serde_json::to_value(deployment.claude.requests()).unwrap();
    let of_path = requests.as_array().unwrap().iter().filter(|request| request["path"] == path);
    of_path.map(|request| request["body"].clone()).collect()
}

#[tokio::test]
async fn pictures_documents_and_texts_become_claudes_blocks_and_stay_in_the_conversation() {
    let deployment = Deployment::new().await;
    let parts = [
        json!({ "type": "text", "text": "Look" }),
        picture(100),
        json!({ "type": "file", "mediaType": "image/png", "url": "https://example.com/x.png" }),
        file("application/pdf", b"%PDF-1.7 x"),
        file("text/plain", b"Some words"),
    ];
    let reply = send(&deployment, "pro", "u1", &parts).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let content = sent(&deployment, "/v1/messages")[0]["messages"][0]["content"].clone();
    let kinds: Vec<_> = content.as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "image", "image", "document", "document"]);
    assert_eq!(content[2]["source"], json!({ "type": "url", "url": "https://example.com/x.png" }));
    assert_eq!((&content[3]["title"], &content[4]["source"]["data"]), (&json!("a file"), &json!("Some words")));
    // Only a PDF has to be weighed, and that is free.
    assert_eq!(sent(&deployment, "/v1/messages/count_tokens").len(), 1);
    send(&deployment, "pro", "u2", &[json!({ "type": "text", "text": "And now?" })]).await;
    assert_eq!(sent(&deployment, "/v1/messages")[1]["messages"][0]["content"], content);
    assert_eq!(deployment.ledger().await.len(), 2);
}

#[tokio::test]
async fn a_picture_counts_as_what_it_costs_and_not_as_its_bytes() {
    let deployment = Deployment::new().await;
    // 400,000 bytes, and 6,000 tokens at most: it fits the 128,000 of the plan, and so does the next one.
    for id in ["u1", "u2"] {
        assert_eq!(send(&deployment, "free", id, &[picture(400_000)]).await.status, 200);
    }
    assert_eq!(sent(&deployment, "/v1/messages")[1]["messages"].as_array().unwrap().len(), 3);
    let many = vec![picture(10); 22];
    send(&deployment, "free", "u3", &many).await.assert_problem(413, "prompt_too_long");
    assert_eq!(deployment.ledger().await.len(), 2);
}

#[tokio::test]
async fn a_document_beyond_the_plan_is_refused_and_everything_is_given_back() {
    let deployment = Deployment::new().await;
    let long = file("application/pdf", &[b"%PDF-1.7 ".as_slice(), &vec![b'x'; 500_000]].concat());
    send(&deployment, "free", "u1", std::slice::from_ref(&long)).await.assert_problem(413, "prompt_too_long");
    assert!(sent(&deployment, "/v1/messages").is_empty() && deployment.ledger().await.is_empty());
    let usage = deployment.call("GET", "/api/usage").bearer(&token::mint("ann", "free")).send().await.json();
    assert_eq!(usage["limits"][0]["remaining"], 10, "{usage}");
    assert_eq!(send(&deployment, "pro", "u1", &[long]).await.status, 200, "a larger plan takes it");
}

#[tokio::test]
async fn what_is_no_file_that_claude_reads_is_told_before_anything_is_spent() {
    let deployment = Deployment::new().await;
    for (part, pointer) in [
        (file("image/png", b"GIF no"), "/messages/0/parts/0"),
        (file("application/zip", b"PK"), "/messages/0/parts/0"),
        (
            json!({ "type": "file", "mediaType": "image/png", "url": "http://169.254.169.254/x" }),
            "/messages/0/parts/0/url",
        ),
        (
            json!({ "type": "file", "mediaType": "application/pdf", "url": "https://example.com/x" }),
            "/messages/0/parts/0/url",
        ),
    ] {
        let problem =
            send(&deployment, "pro", "u", std::slice::from_ref(&part)).await.assert_problem(422, "invalid_body");
        assert_eq!(problem["pointer"], pointer, "{part}");
    }
    assert!(deployment.claude.requests().is_empty() && deployment.ledger().await.is_empty());
}
