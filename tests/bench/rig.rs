//! What the benches run: Claude's stand-in, functions of this build, and callers' tokens.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

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

fn beside(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().join(name)
}

/// A child that ends with us.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Claude's stand-in and its URL.
pub(crate) fn standin() -> (Process, String) {
    let mut child = Command::new(beside("purser")).arg("standin").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().next_back().unwrap().to_owned();
    (Process(child), url)
}

pub(crate) struct Function {
    process: Process,
    pub(crate) port: u16,
}

impl Function {
    pub(crate) fn start(name: &str, variables: &[(&str, String)]) -> Self {
        let socket = std::env::temp_dir().join(format!("purser-bench-{}", std::process::id()));
        let listener = UnixListener::bind(&socket).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(beside(name))
            .env_clear()
            .env("VERCEL_IPC_PATH", &socket)
            .env("VERCEL_DEV_PORT", port.to_string())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Process(child);
        let (mut ipc, _) = listener.accept().unwrap();
        std::fs::remove_file(&socket).unwrap();
        let mut message = [0_u8; 512];
        assert!(ipc.read(&mut message).unwrap() > 0, "{name} does not start");
        // A function whose messages nobody reads stands still in the end.
        std::thread::spawn(move || std::io::copy(&mut ipc, &mut std::io::sink()));
        Self { process, port }
    }

    /// What it has run so far, threads that have ended included.
    pub(crate) fn cpu_ms(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.0.id())).unwrap();
        // After the name in brackets: fields 3 and on. utime and stime are 14 and 15, in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        [fields[11], fields[12]].map(|ticks| ticks.parse::<f64>().unwrap()).iter().sum::<f64>() * 10.0
    }
}
