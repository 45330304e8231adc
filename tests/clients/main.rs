//! Official SDKs against the whole backend, as `cargo run` starts it: nothing is changed but a URL and a key.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use purser_tests::{deployment::JWT_SECRET, function, services, token};

/// `cargo run`, on a file and a port of its own.
struct Backend {
    process: Child,
    url: String,
    folder: PathBuf,
}

impl Backend {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(services::unique("backend"));
        std::fs::create_dir_all(&folder).unwrap();
        let port = function::free_port();
        let mut process = Command::new(function::binary("purser"))
            .args(["serve", "--no-build", "--root"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
            .args(["--bin-dir".as_ref(), function::binary("purser").parent().unwrap().as_os_str()])
            .args(["--port", &port.to_string()])
            .env("DATABASE_URL", format!("sqlite:{}", folder.join("purser.sqlite").display()))
            .env("JWT_SECRET", JWT_SECRET)
            .envs(["CLAUDE_API_KEY", "ANTHROPIC_API_KEY", "REDIS_URL"].map(|name| (name, "")))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().any(|line| line.unwrap().starts_with("Purser: http"));
        assert!(ready, "the backend ended before it served");
        // What it says from here on must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, url: format!("http://127.0.0.1:{port}"), folder }
    }

    fn pass(&self, command: &mut Command) {
        command.env("BASE_URL", &self.url);
        command.env("TOKEN", token::mint("sdk", "pro")).env("FREE_TOKEN", token::mint("sdk-free", "free"));
        succeeds(command);
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn succeeds(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&said));
}

fn node_folder() -> PathBuf {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/node");
    INSTALLED.call_once(|| {
        if !folder.join("node_modules/ai").exists() {
            succeeds(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder));
        }
    });
    folder
}

#[test]
fn anthropics_typescript_sdk_works_unchanged() {
    Backend::start().pass(Command::new("node").arg("anthropic.mjs").current_dir(node_folder()));
}

#[test]
fn the_ai_sdks_transport_and_reader_work_unchanged() {
    Backend::start().pass(Command::new("node").arg("ai.mjs").current_dir(node_folder()));
}

#[test]
fn anthropics_python_sdk_works_unchanged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python");
    let venv = function::binary("python-clients");
    if !venv.join("lib").exists() || !venv.join("installed").exists() {
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let pip = venv.join("bin/pip");
        succeeds(Command::new(pip).args(["install", "-q", "-r"]).arg(folder.join("requirements.txt")));
        std::fs::write(venv.join("installed"), "").unwrap();
    }
    Backend::start().pass(Command::new(venv.join("bin/python")).arg(folder.join("check.py")));
}
