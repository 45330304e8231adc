//! What the README tells to write, run as it stands there.

use std::{fs, process::Command};

use purser_tests::packages::{installed, project_dir, succeeds};

use crate::{Backend, ai};

/// Where the README's reader puts the own deployment.
const DEPLOYMENT: &str = "https://your-app.vercel.app";

/// The code under a bold line of "Use it from…".
pub(crate) fn snippet(name: &str) -> String {
    let readme = fs::read_to_string(project_dir().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with("Use it from")).unwrap();
    let (_, rest) = section.split_once(&format!("\n**{name}**")).unwrap();
    let (_, fenced) = rest.split_once("\n```").unwrap();
    let (code, _) = fenced.split_once("\n```").unwrap();
    code.split_once('\n').unwrap().1.to_owned()
}

/// Runs a snippet against a backend; it prints what Claude said.
async fn answers(name: &str, command: impl FnOnce(String) -> Command) {
    let mut backend = Backend::start().await;
    let code = snippet(name);
    assert!(code.contains(DEPLOYMENT), "{name}");
    let mut command = command(code.replace(DEPLOYMENT, &backend.url));
    let said = succeeds(command.env("TOKEN", purser_tests::token::mint("reader", "pro")));
    assert!(said.contains("I am a stand-in for Claude"), "{name}: {said}");
    backend.stop();
    let ledger = backend.deployment.ledger().await;
    assert_eq!((ledger.len(), ledger[0].outcome.as_deref()), (1, Some("completed")), "{name}");
}

#[tokio::test]
async fn the_readmes_curl_works_as_it_stands_there() {
    answers("curl", |code| {
        let mut shell = Command::new("bash");
        shell.args(["-ec", &code]);
        shell
    })
    .await;
}

#[tokio::test]
async fn the_readmes_typescript_works_as_it_stands_there() {
    answers("Anthropic's SDK for TypeScript", |code| {
        let folder = installed("node");
        fs::write(folder.join("readme.mjs"), code).unwrap();
        let mut node = Command::new("node");
        node.arg("readme.mjs").current_dir(folder);
        node
    })
    .await;
}

#[tokio::test]
async fn the_readmes_python_works_as_it_stands_there() {
    answers("Anthropic's SDK for Python", |code| {
        let mut python = Command::new(installed("python").join("venv/bin/python"));
        python.args(["-c", &code]);
        python
    })
    .await;
}

#[tokio::test]
async fn the_readmes_ai_sdk_provider_works_as_it_stands_there() {
    answers("The AI SDK's Anthropic provider", |code| {
        fs::write(installed("ai").join("readme.mjs"), code).unwrap();
        ai("readme.mjs", "7")
    })
    .await;
}
