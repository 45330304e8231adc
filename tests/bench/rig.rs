//! What the benches of calls need: Claude's stand-in, what functions are told, and callers' tokens.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::function::{Process, beside};

/// What the bench signs its tokens with.
const SECRET: &str = "a secret of the bench that is long enough for HS256";

/// What functions are told; the tables are there then.
pub(crate) fn variables(claude_url: &str) -> [(&'static str, String); 5] {
    let variables = [
        ("DATABASE_URL", std::env::var("TEST_POSTGRES_URL").unwrap()),
        ("REDIS_URL", std::env::var("TEST_REDIS_URL").unwrap()),
        ("JWT_SECRET", SECRET.to_owned()),
        ("CLAUDE_API_KEY", "any".to_owned()),
        ("CLAUDE_BASE_URL", claude_url.to_owned()),
    ];
    let migrated = Command::new(beside("purser")).arg("migrate").envs(variables.clone()).stdout(Stdio::null()).status();
    assert!(migrated.unwrap().success());
    variables
}

/// A token of the pro plan.
pub(crate) fn mint(subject: &str) -> String {
    let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let claims = format!(r#"{{"sub":"{subject}","plan":"pro","iss":"purser","aud":"purser","exp":{}}}"#, now_s + 3_600);
    let text = [r#"{"alg":"HS256","typ":"JWT"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes()), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Claude's stand-in and its URL.
pub(crate) fn standin() -> (Process, String) {
    let mut child = Command::new(beside("purser")).arg("standin").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().next_back().unwrap().to_owned();
    (Process(child), url)
}
