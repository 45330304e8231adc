//! A function's real binary, run as the platform runs it: own port, own socket, its environment and no other.

use std::{
    collections::BTreeMap,
    io::Read,
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use base64::Engine as _;
use serde_json::Value;

/// How long a function may take to start, or to end an invocation, before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running function.
pub struct Function {
    child: Child,
    port: u16,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    invocations: AtomicU64,
    folder: PathBuf,
}

#[derive(Default)]
struct Heard {
    is_started: bool,
    is_closed: bool,
    ended: Vec<u64>,
    lines: Vec<Value>,
}

impl Function {
    /// Starts a binary of this build with an environment, and returns when it serves.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(name: &str, environment: &BTreeMap<String, String>) -> Self {
        Self::try_start(name, environment).unwrap_or_else(|why| panic!("{name} does not start: {why}"))
    }

    /// As [`Function::start`]; a start that is refused gives what the binary said.
    ///
    /// # Errors
    /// The standard error of a process that ended before it served.
    pub fn try_start(name: &str, environment: &BTreeMap<String, String>) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(crate::services::unique("fn"));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("ipc");
        let listener = UnixListener::bind(&socket).unwrap();
        let port = free_port();
        let mut child = Command::new(binary(name))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("VERCEL_IPC_PATH", &socket)
            .env("VERCEL_DEV_PORT", port.to_string())
            .envs(environment)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} is not built ({error}): run `cargo build --bins`"));
        let heard = Arc::new((Mutex::new(Heard::default()), Condvar::new()));
        listen(listener, heard.clone());
        let until = Instant::now() + PATIENCE;
        loop {
            let state = heard.0.lock().unwrap();
            let (state, _) = heard.1.wait_timeout_while(state, Duration::from_millis(50), |h| !h.is_started).unwrap();
            if state.is_started {
                break;
            }
            drop(state);
            if child.try_wait().unwrap().is_some() || Instant::now() > until {
                let _ = child.kill();
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                // Unblocks the listening thread.
                let _ = std::os::unix::net::UnixStream::connect(&socket);
                let _ = std::fs::remove_dir_all(&folder);
                return Err(said);
            }
        }
        Ok(Self { child, port, heard, invocations: AtomicU64::new(1), folder })
    }

    /// Where it listens.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next invocation's number, for the platform's headers.
    pub fn next_invocation(&self) -> u64 {
        self.invocations.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until an invocation and all work behind it is over.
    ///
    /// # Panics
    /// Where that takes too long.
    pub fn wait_for_end(&self, invocation: u64) {
        let state = self.heard.0.lock().unwrap();
        let waiting = |heard: &mut Heard| !heard.ended.contains(&invocation) && !heard.is_closed;
        let (state, timeout) = self.heard.1.wait_timeout_while(state, PATIENCE, waiting).unwrap();
        assert!(!timeout.timed_out() && state.ended.contains(&invocation), "invocation {invocation} did not end");
    }

    /// The log lines so far.
    pub fn lines(&self) -> Vec<Value> {
        self.heard.0.lock().unwrap().lines.clone()
    }

    /// Asks the process to stop, as the platform does, and waits for it; gives its exit code.
    ///
    /// # Panics
    /// Where there is no `kill` command.
    pub fn terminate(&mut self) -> Option<i32> {
        Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status().unwrap();
        self.child.wait().unwrap().code()
    }

    /// Ends the process at once.
    ///
    /// # Panics
    /// Where it is not ours to end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A binary of the build that this test belongs to.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).unwrap().join(name)
}

/// A port that nobody has at this moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Reads the platform's messages: JSON, each ended by a NUL.
fn listen(listener: UnixListener, heard: Arc<(Mutex<Heard>, Condvar)>) {
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let (mut buffer, mut pending) = ([0_u8; 4096], Vec::new());
        while let Ok(read) = stream.read(&mut buffer) {
            if read == 0 {
                break;
            }
            for byte in &buffer[..read] {
                if *byte == 0 {
                    take(&std::mem::take(&mut pending), &heard);
                } else {
                    pending.push(*byte);
                }
            }
        }
        heard.0.lock().unwrap().is_closed = true;
        heard.1.notify_all();
    });
}

fn take(message: &[u8], heard: &(Mutex<Heard>, Condvar)) {
    let message: Value = serde_json::from_slice(message).unwrap();
    let payload = &message["payload"];
    let mut state = heard.0.lock().unwrap();
    match message["type"].as_str() {
        Some("server-started") => state.is_started = true,
        Some("end") => state.ended.push(payload["context"]["requestId"].as_u64().unwrap()),
        Some("log") => {
            let text = base64::engine::general_purpose::STANDARD.decode(payload["message"].as_str().unwrap()).unwrap();
            let mut line: Value =
                serde_json::from_slice(&text).unwrap_or_else(|_| String::from_utf8_lossy(&text).into());
            if line.is_object() {
                line["level"] = payload["level"].clone();
            }
            state.lines.push(line);
        }
        _ => {}
    }
    heard.1.notify_all();
}
