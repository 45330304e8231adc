//! The double of Upstash, held against Upstash's own client.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use purser_tests::{packages, services};

/// The double as a process; it ends when its input does.
struct Process {
    double: Child,
    url: String,
    token: String,
}

impl Process {
    fn start() -> Self {
        let mut double = Command::new(env!("CARGO_BIN_EXE_upstash-double"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(double.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (url, token) = line.trim().strip_prefix("listening ").unwrap().split_once(" token=").unwrap();
        Self { url: url.to_owned(), token: token.to_owned(), double }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.double.stdin.take());
        let _ = self.double.wait();
    }
}

#[test]
fn the_official_client_takes_the_double_for_upstash() {
    let folder = packages::installed("upstash");
    let process = Process::start();
    packages::succeeds(
        Command::new("node")
            .arg("check.mjs")
            .current_dir(folder)
            .env("UPSTASH_REDIS_REST_URL", &process.url)
            .env("UPSTASH_REDIS_REST_TOKEN", &process.token)
            .env("PREFIX", format!("{}:", services::unique("client"))),
    );
}
