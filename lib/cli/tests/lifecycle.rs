//! Start, stop, building, and static files.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod harness;

use std::path::Path;

use harness::{Folder, Purser, open, project, request, send};
use http::StatusCode;
use rustix::process::Signal;

#[tokio::test]
async fn sigterm_lets_registered_work_finish() {
    registered_work_finishes(|purser| purser.signal(Signal::TERM)).await;
}

#[tokio::test]
async fn ctrl_c_lets_registered_work_finish() {
    registered_work_finishes(Purser::interrupt).await;
}

async fn registered_work_finishes(stop: impl Fn(&Purser)) {
    let (project, temporary) = (project(), Folder::new());
    let mut purser = Purser::serve(&project, &[("TMPDIR", &temporary.path(""))]);
    let (go, done) = (project.path("go"), project.path("done"));
    assert_eq!(purser.get(&format!("/api/echo?do=work&after={go}&write={done}")).await.text(), "at work");
    stop(&purser);
    purser.line("stopping");
    assert!(!Path::new(&done).exists());
    std::fs::write(&go, "").unwrap();
    assert_eq!(purser.end().code(), Some(0));
    assert!(Path::new(&done).exists());
    assert_eq!(std::fs::read_dir(&temporary.0).unwrap().count(), 0, "sockets are left behind");
}

#[tokio::test]
async fn a_registered_stream_is_passed_on_during_the_shutdown() {
    let project = project();
    let mut purser = Purser::serve(&project, &[]);
    let mut stream = open(purser.address(), request("GET", "/api/echo?do=stream", &[], "")).await.unwrap();
    stream.until("data: first").await;
    // Registered work keeps the process up, whose open connections are still served.
    assert_eq!(purser.get("/api/echo?do=open").await.text(), "opened");
    purser.interrupt();
    purser.line("stopping");
    let (text, end) = stream.rest().await;
    end.unwrap();
    assert!(text.contains("data: second"));
    assert_eq!(purser.end().code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let project = project();
    let mut purser = Purser::serve(&project, &[]);
    let never = project.path("never");
    purser.get(&format!("/api/echo?do=work&after={never}&write={never}")).await;
    purser.interrupt();
    purser.line("stopping");
    purser.interrupt();
    assert_eq!(purser.end().code(), Some(130));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn functions_die_with_a_supervisor_that_is_killed() {
    let project = project();
    let purser = Purser::serve(&project, &[]);
    let echo = purser.get("/api/echo").await.json();
    let port = echo["env"]["VERCEL_DEV_PORT"].as_str().unwrap().parse().unwrap();
    // A connection of our own: it ends when the process does.
    let ping = request("GET", "/api/echo?do=hang", &[], "");
    let waiting = harness::spawn(async move { open(([127, 0, 0, 1], port).into(), ping).await.is_err() });
    let second = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(send(second, request("GET", "/api/echo?do=log", &[], "")).await.text(), "logged");
    purser.signal(Signal::KILL);
    assert!(harness::patiently(waiting).await.unwrap(), "the function answered");
}

#[tokio::test]
async fn static_files_are_served_as_the_platform_serves_them() {
    let project = project();
    project.write("public/docs/index.html", "docs");
    project.write("secret.txt", "secret");
    std::os::unix::fs::symlink(project.0.join("secret.txt"), project.0.join("public/link.txt")).unwrap();
    let purser = Purser::serve(&project, &[]);
    let page = purser.get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.text().contains("The page"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(purser.get("/docs").await.text(), "docs");
    assert_eq!(purser.get("/app.js?v=1").await.header("content-type"), "text/javascript; charset=utf-8");

    let tag = page.header("etag").to_owned();
    let again = send(purser.address(), request("GET", "/", &[("if-none-match", &format!("\"x\", W/{tag}"))], "")).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let head = send(purser.address(), request("HEAD", "/", &[], "")).await;
    assert_eq!((head.header("content-length"), head.body.len()), (&*page.body.len().to_string(), 0));
    let post = send(purser.address(), request("POST", "/", &[], "")).await;
    assert_eq!((post.status, post.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));

    for path in ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/link.txt", "/nothing.html"] {
        let reply = purser.get(path).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!reply.text().contains("secret"));
    }
}

#[tokio::test]
async fn a_taken_port_is_said_in_one_sentence() {
    let project = project();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut purser = Purser::start(&["--root", &project.path(""), "--no-build"], &[("PORT", &port)]);
    purser.line(&format!("purser: port {port} is taken"));
    assert_eq!(purser.end().code(), Some(1));
}

#[test]
fn a_command_line_that_does_not_fit_is_named() {
    for (arguments, text) in [
        (&["sevre"][..], "there is no command `sevre`"),
        (&["serve", "--prot", "1"], "`--prot` is not understood"),
        (&["serve", "--port", "many"], "--port takes a port number, not `many`"),
        (&["serve", "--port"], "--port needs a value"),
    ] {
        let mut purser = Purser::start(arguments, &[]);
        purser.line(text);
        assert_eq!(purser.end().code(), Some(2), "{text}");
    }
    for arguments in [&["--help"][..], &["help"], &["serve", "--help"], &["standin", "--help"], &["--version"]] {
        let purser = Purser::start(arguments, &[]);
        assert_eq!(purser.end().code(), Some(0), "{arguments:?}");
    }
}

/// A function that needs no dependencies, so that it builds in a second.
fn source(says: &str) -> String {
    format!(
        r#"use std::{{io::{{Read, Write}}, net::TcpListener, os::unix::net::UnixStream}};
fn main() {{
    let mut ipc = UnixStream::connect(std::env::var("VERCEL_IPC_PATH").unwrap()).unwrap();
    let port = std::env::var("VERCEL_DEV_PORT").unwrap();
    let listener = TcpListener::bind(format!("127.0.0.1:{{port}}")).unwrap();
    let started = format!("{{{{\"type\":\"server-started\",\"payload\":{{{{\"initDuration\":0,\"httpPort\":{{port}}}}}}}}}}\0");
    ipc.write_all(started.as_bytes()).unwrap();
    for stream in listener.incoming() {{
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let body = "{says}";
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {{}}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
    }}
}}
"#
    )
}

#[tokio::test]
async fn a_change_of_the_sources_is_built_and_served_on_the_next_request() {
    let folder = Folder::new();
    let manifest = "[package]\nname = \"small\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[[bin]]\nname = \"hello\"\npath = \"api/hello.rs\"\n";
    folder.write("Cargo.toml", manifest);
    folder.write("vercel.json", "{}");
    folder.write("api/hello.rs", &source("one"));
    folder.write("api/other.rs", "");
    let target = folder.path("target");
    let mut purser = Purser::ready(&["--root", &folder.path(""), "--port", "0"], &[("CARGO_TARGET_DIR", &target)]);
    assert_eq!(purser.get("/api/hello").await.text(), "one");
    folder.write("api/hello.rs", &source("two, longer"));
    assert_eq!(purser.get("/api/hello").await.text(), "two, longer");
    folder.write("api/hello.rs", "this is no Rust");
    let broken = purser.get("/api/hello").await;
    assert_eq!(
        (broken.status, broken.json()["code"].as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, Some("build_failed"))
    );
    folder.write("api/hello.rs", &source("three"));
    assert_eq!(purser.get("/api/hello").await.text(), "three");
    purser.line("building");
}
