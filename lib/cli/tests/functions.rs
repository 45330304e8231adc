//! Functions under the supervisor: what reaches them, what comes back, and what happens when they fail.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod harness;

use harness::{Folder, Purser, open, project, request, send};
use http::StatusCode;
use serde_json::Value;

fn header<'e>(echo: &'e Value, name: &str) -> Vec<&'e str> {
    let all = echo["headers"].as_array().unwrap().iter();
    all.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_stream_passes_event_by_event() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let mut stream = open(purser.address(), request("GET", "/api/echo?do=stream", &[], "")).await.unwrap();
    stream.until("data: first").await;
    assert!(!stream.read().contains("second"));
    assert_eq!(purser.get("/api/echo?do=open").await.text(), "opened");
    stream.until("data: second").await;
    stream.rest().await.1.unwrap();
}

#[tokio::test]
async fn a_caller_who_leaves_closes_the_functions_connection() {
    let project = project();
    let mut purser = Purser::serve(&project, &[]);
    let mut stream = open(purser.address(), request("GET", "/api/echo?do=stream", &[], "")).await.unwrap();
    stream.until("data: first").await;
    drop(stream);
    assert_eq!(purser.get("/api/echo?do=until-left").await.text(), "the caller left");
    purser.line("(the caller left)");
}

#[tokio::test]
async fn the_path_stays_the_callers_and_parameters_are_appended() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    for (asked, arrives) in [
        ("/api/items/42", "/api/items/42?id=42"),
        ("/api/items/a%2Fb%20c?q=1", "/api/items/a%2Fb%20c?q=1&id=a%2Fb%20c"),
        ("/api/items/42?id=evil", "/api/items/42?id=evil"),
        ("/things/77", "/things/77?id=77"),
        ("/api/items", "/api/items"),
    ] {
        assert_eq!(purser.get(asked).await.json()["url"], arrives, "{asked}");
    }
    for path in ["/api/echo/", "/api/nothing", "/api"] {
        let reply = purser.get(path).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.json()["code"], "not_found");
    }
}

#[tokio::test]
async fn the_edge_overwrites_what_a_caller_says_about_itself() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let spoofed = [
        ("x-real-ip", "6.6.6.6"),
        ("x-forwarded-for", "6.6.6.6, 7.7.7.7"),
        ("x-vercel-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.test"),
        ("forwarded", "for=6.6.6.6"),
        ("x-vercel-ip-country", "XX"),
        ("x-vercel-internal-request-id", "1"),
        ("connection", "x-hop"),
        ("x-hop", "of this connection only"),
        ("x-kept", "kept"),
    ];
    let echo = send(purser.address(), request("POST", "/api/echo", &spoofed, "body")).await.json();
    for name in ["x-real-ip", "x-forwarded-for", "x-vercel-forwarded-for"] {
        assert_eq!(header(&echo, name), ["127.0.0.1"], "{name}");
    }
    assert_eq!(header(&echo, "x-forwarded-proto"), ["http"]);
    assert_eq!(header(&echo, "x-forwarded-host"), ["app.test:3000"]);
    assert_eq!(header(&echo, "host"), ["app.test:3000"]);
    for name in ["forwarded", "x-vercel-ip-country", "x-hop"] {
        assert!(header(&echo, name).is_empty(), "{name}");
    }
    assert_eq!(header(&echo, "x-kept"), ["kept"]);
    assert_eq!(header(&echo, "x-vercel-internal-invocation-id").len(), 1);
    header(&echo, "x-vercel-internal-request-id")[0].parse::<u64>().unwrap();
    assert_eq!(echo["body"], "body");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let project = project();
    let purser = Purser::serve(&project, &[("TRUST_PROXY", "1")]);
    let said = [("x-forwarded-for", "6.6.6.6, 7.7.7.7")];
    let echo = send(purser.address(), request("GET", "/api/echo", &said, "")).await.json();
    assert_eq!(header(&echo, "x-real-ip"), ["7.7.7.7"]);
}

#[tokio::test]
async fn the_functions_own_headers_win_over_those_of_vercel_json() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let reply = purser.get("/api/echo?do=headers").await;
    assert_eq!(reply.header("x-content-type-options"), "its own");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("x-hop"), "");
    let reply = purser.get("/api/echo").await;
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("cache-control"), "public, max-age=0, must-revalidate");
}

#[tokio::test]
async fn functions_get_the_environment_that_the_platform_gives() {
    let project = project();
    project.write(".env", "FROM_ENV=env\nIN_BOTH=env\nFROM_SHELL=env\n");
    project.write(".env.local", "IN_BOTH=local\n");
    let purser = Purser::serve(&project, &[("FROM_SHELL", "shell")]);
    let echo = purser.get("/api/echo").await.json();
    let env = &echo["env"];
    for (name, value) in [("FROM_ENV", "env"), ("IN_BOTH", "local"), ("FROM_SHELL", "shell"), ("TRUST_PROXY", "1")] {
        assert_eq!(env[name], value, "{name}");
    }
    assert!(env["VERCEL_DEV"].is_null());
    assert!(env["CLAUDE_BASE_URL"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(std::path::Path::new(echo["cwd"].as_str().unwrap()), project.0.canonicalize().unwrap());
}

#[tokio::test]
async fn a_key_for_claude_keeps_the_standin_away() {
    let project = project();
    let purser = Purser::serve(&project, &[("ANTHROPIC_API_KEY", "a-key")]);
    let env = &purser.get("/api/echo").await.json()["env"];
    assert!(env["CLAUDE_BASE_URL"].is_null());
    assert!(env["CLAUDE_API_KEY"].is_null());
}

#[tokio::test]
async fn the_functions_of_a_keyless_start_reach_the_standin() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let env = &purser.get("/api/echo").await.json()["env"];
    let address = env["CLAUDE_BASE_URL"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    let headers = [("x-api-key", env["CLAUDE_API_KEY"].as_str().unwrap()), ("anthropic-version", "2026-10-21")];
    assert_eq!(send(address, request("GET", "/v1/models", &headers, "")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_panic_is_a_502_and_the_process_lives_on() {
    let project = project();
    let mut purser = Purser::serve(&project, &[]);
    let before = purser.get("/api/echo").await.json()["pid"].clone();
    let reply = purser.get("/api/echo?do=panic").await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (StatusCode::BAD_GATEWAY, Some("function_failed")));
    purser.line("told to panic");
    assert_eq!(purser.get("/api/echo").await.json()["pid"], before);
}

#[tokio::test]
async fn a_crash_is_a_502_and_the_next_request_starts_the_function_again() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let before = purser.get("/api/echo").await.json()["pid"].clone();
    let reply = purser.get("/api/echo?do=exit").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
    assert!(reply.text().contains("exit status: 7"), "{}", reply.text());
    let after = purser.get("/api/echo").await.json();
    assert_ne!(after["pid"], before);
}

#[tokio::test]
async fn a_function_that_does_not_start_is_a_502_that_says_where_to_look() {
    let project = project();
    let mut purser = Purser::serve(&project, &[("FIXTURE", "refuses-to-start")]);
    let reply = purser.get("/api/echo").await;
    assert_eq!(reply.status, StatusCode::BAD_GATEWAY);
    assert_eq!(reply.json()["code"], "function_not_started");
    assert!(reply.text().contains("exit status: 3"), "{}", reply.text());
    purser.line("FIXTURE must not say refuses-to-start");
}

#[tokio::test]
async fn a_function_that_exceeds_its_max_duration_is_a_504() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let reply = purser.get("/api/items?do=hang").await;
    assert_eq!(reply.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(reply.json()["code"], "function_timeout");
}

#[tokio::test]
async fn a_large_upload_arrives_whole_or_is_answered_unread() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let body = vec![b'x'; 6_000_000];
    for _ in 0..3 {
        let reply = send(purser.address(), request("POST", "/api/echo?do=length", &[], body.clone())).await;
        assert_eq!(reply.text(), "6000000");
        let reply = send(purser.address(), request("POST", "/api/echo?do=ignore", &[], body.clone())).await;
        assert_eq!(reply.text(), "not read");
    }
}

#[tokio::test]
async fn log_lines_and_requests_appear_in_the_terminal_without_queries() {
    let project = project();
    let mut purser = Purser::serve(&project, &[]);
    assert_eq!(purser.get("/api/echo?do=log&secret=1").await.text(), "logged");
    assert_eq!(purser.line("a line for the log"), "[echo] warn a line for the log");
    let line = purser.line("GET /api/echo");
    assert!(line.starts_with("GET /api/echo 200 ") && line.ends_with(" 6 B echo"), "{line}");
    assert!(!line.contains("secret"));
}

#[tokio::test]
async fn a_replaced_binary_is_started_anew() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let before = purser.get("/api/echo").await.json()["pid"].clone();
    assert_eq!(purser.get("/api/echo").await.json()["pid"], before);
    let (bin, other) = (project.0.join("bin/echo"), Folder::new());
    std::fs::copy(&bin, other.0.join("copy")).unwrap();
    std::fs::remove_file(&bin).unwrap();
    std::os::unix::fs::symlink(other.0.join("copy"), &bin).unwrap();
    assert_ne!(purser.get("/api/echo").await.json()["pid"], before);
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let project = project();
    let mut purser = Purser::serve(&project, &[]);
    let reply = send(purser.address(), request("HEAD", "/api/echo?do=headers", &[], "")).await;
    assert_eq!((reply.header("content-length"), reply.body.len()), ("5", 0));
    assert!(!purser.line("HEAD /api/echo").contains("left"));
}
