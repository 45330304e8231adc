use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use purser_cli::standin::{Options, Standin};
use purser_tests::function;

use crate::copy::Copy;

struct Dev(Child);

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn curl(arguments: &[&str]) -> String {
    let done = Command::new("curl").args(["-s", "--max-time", "300"]).args(arguments).output().unwrap();
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn vercel_dev_streams_and_its_one_shot_processes_share_their_limits() {
    let claude = Standin::start(Options::default()).unwrap();
    let copy = Copy::new();
    // Requests would build it all the same, each waiting for the other.
    let built = Command::new("cargo")
        .args(["build", "-q", "--bin", "chat", "--bin", "health"])
        .current_dir(&copy.folder)
        .status();
    assert!(built.unwrap().success());
    let port = function::free_port();
    let mut child = copy
        .vercel()
        .args(["dev", "--listen", &format!("127.0.0.1:{port}")])
        .env("CLAUDE_BASE_URL", claude.base_url())
        .env("CLAUDE_API_KEY", "any")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_ready(&mut child);
    let _dev = Dev(child);
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");

    assert!(curl(&[&url("/api/health")]).contains("\"ok\""));
    for source in ["/Cargo.toml", "/lib/src/lib.rs", "/api/nothing"] {
        assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", &url(source)]), "404", "{source}");
    }

    claude.next("gate=dev");
    let body = r#"{"message":"Hi"}"#;
    let mut stream = Command::new("curl")
        .args(["-sN", "--max-time", "120", "-d", body, &url("/api/chat")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut events = BufReader::new(stream.stdout.take().unwrap());
    let mut first = String::new();
    events.read_line(&mut first).unwrap();
    assert!(first.contains("\"start\""), "an event comes while the answer is held: {first}");
    claude.open_gate("dev");
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\"finish\"") && rest.ends_with("data: [DONE]\n\n"), "{rest}");
    stream.wait().unwrap();

    let status = || curl(&["-o", "/dev/null", "-w", "%{http_code}", "-d", body, &url("/api/chat")]);
    let statuses: Vec<_> = (0..5).map(|_| status()).collect();
    assert_eq!(statuses, ["200", "200", "200", "200", "429"], "every request is a process of its own");
}

fn wait_until_ready(child: &mut Child) {
    let (sender, lines) = mpsc::channel();
    let outputs: [Box<dyn std::io::Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    for output in outputs {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
    }
    drop(sender);
    let mut said = Vec::new();
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(120)) {
        if line.contains("Ready!") {
            return;
        }
        said.push(line);
    }
    panic!("vercel dev is not ready: {said:#?}");
}
