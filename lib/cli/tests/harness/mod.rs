//! A small HTTP client, a project in a temporary folder, and the real `purser` on it.
#![allow(dead_code, clippy::allow_attributes, reason = "every test file uses a part of it, one of them all")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a part of tests")]

pub(crate) mod claude;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;

/// Nothing that a test waits for takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// An answer that is still coming.
pub(crate) struct Coming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    read: String,
}

impl Coming {
    /// Reads until the text has come; panics if the answer ends before.
    pub(crate) async fn until(&mut self, text: &str) {
        while !self.read.contains(text) {
            let frame = patiently(self.body.frame()).await.unwrap_or_else(|| panic!("no {text:?} in {:?}", self.read));
            self.read.push_str(&String::from_utf8_lossy(frame.unwrap().data_ref().unwrap()));
        }
    }

    pub(crate) fn read(&self) -> &str {
        &self.read
    }

    /// Reads to the end; the error is that the connection broke.
    pub(crate) async fn rest(mut self) -> (String, Result<(), hyper::Error>) {
        while let Some(frame) = patiently(self.body.frame()).await {
            match frame {
                Ok(frame) => self.read.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap())),
                Err(error) => return (self.read, Err(error)),
            }
        }
        (self.read, Ok(()))
    }
}

pub(crate) async fn patiently<T>(something: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, something).await.expect("this takes too long")
}

/// Sends a request on a connection of its own; the error is that there was no answer.
pub(crate) async fn open(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Coming, hyper::Error> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends when the answer is dropped.
    spawn(connection);
    let response = patiently(sender.send_request(request)).await?;
    let (parts, body) = response.into_parts();
    Ok(Coming { status: parts.status, headers: parts.headers, body, read: String::new() })
}

#[expect(clippy::disallowed_methods, reason = "a test is no function")]
pub(crate) fn spawn<F: Future<Output: Send> + Send + 'static>(future: F) -> tokio::task::JoinHandle<F::Output> {
    tokio::spawn(future)
}

pub(crate) async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Reply {
    let coming = open(address, request).await.unwrap();
    let (status, headers) = (coming.status, coming.headers.clone());
    let body = patiently(coming.body.collect()).await.unwrap().to_bytes();
    Reply { status, headers, body }
}

pub(crate) fn request(
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", "app.test:3000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// A folder that goes away with its owner.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        // Short: a socket's path must fit into 104 bytes, and a folder of ours may be its TMPDIR.
        let path = std::env::temp_dir().join(format!("pt-{}", &purser::ids::new_id()[24..]));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The binaries' folder: cargo builds examples before it runs the tests.
fn fixture() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_purser")).parent().unwrap().join("examples/fixture");
    assert!(path.exists(), "the fixture is not built: run `cargo build -p purser-cli --examples`");
    path
}

/// A project whose functions are all the fixture.
pub(crate) fn project() -> Folder {
    let folder = Folder::new();
    let bins = [("echo", "api/echo.rs"), ("items", "api/items/index.rs"), ("items-id", "api/items/[id].rs")];
    let mut manifest = "[package]\nname = \"project\"\nversion = \"0.0.0\"\n".to_owned();
    fs::create_dir(folder.0.join("bin")).unwrap();
    for (name, path) in bins {
        manifest.push_str(&format!("[[bin]]\nname = \"{name}\"\npath = \"{path}\"\n"));
        folder.write(path, "fn main() {}\n");
        std::os::unix::fs::symlink(fixture(), folder.0.join("bin").join(name)).unwrap();
    }
    folder.write("Cargo.toml", &manifest);
    folder.write(
        "vercel.json",
        r#"{"rewrites": [{"source": "/things/:id", "destination": "/api/items/:id"}],
            "functions": {"api/**/index.rs": {"maxDuration": 1}},
            "headers": [{"source": "/(.*)", "headers": [{"key": "X-Content-Type-Options", "value": "nosniff"}]}]}"#,
    );
    folder.write("public/index.html", "<!doctype html><title>The page</title>");
    folder.write("public/app.js", "export {};");
    folder
}

/// A running `purser`.
pub(crate) struct Purser {
    pub(crate) child: Child,
    lines: mpsc::Receiver<String>,
    seen: Vec<String>,
    address: Option<SocketAddr>,
    /// Its TMPDIR: a killed one leaves sockets behind.
    _temporary: Folder,
}

impl Purser {
    /// `purser serve` on a project, without building; ready when this returns.
    pub(crate) fn serve(project: &Folder, env: &[(&str, &str)]) -> Self {
        let bin_dir = project.path("bin");
        Self::ready(&["serve", "--root", &project.path(""), "--no-build", "--bin-dir", &bin_dir, "--port", "0"], env)
    }

    pub(crate) fn ready(arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let mut purser = Self::start(arguments, env);
        let line = purser.line("Purser: http://localhost:");
        let port = line.rsplit(':').next().unwrap().parse().unwrap();
        purser.address = Some(SocketAddr::from(([127, 0, 0, 1], port)));
        purser.line("  Claude");
        purser
    }

    pub(crate) fn start(arguments: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_purser"));
        for name in ["CLAUDE_API_KEY", "ANTHROPIC_API_KEY", "CLAUDE_BASE_URL", "PORT", "TRUST_PROXY", "VERCEL"] {
            command.env_remove(name);
        }
        let temporary = Folder::new();
        command.env("TMPDIR", temporary.path(""));
        command.args(arguments).envs(env.iter().copied()).env("VERCEL_DEV", "1");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        for output in [
            Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().unwrap()),
        ] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, seen: Vec::new(), address: None, _temporary: temporary }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address.unwrap()
    }

    /// The next line that holds the text.
    pub(crate) fn line(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no line with {text:?} among {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.address(), request("GET", path, &[], "")).await
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// What Ctrl-C does: the signal goes to the whole process group.
    pub(crate) fn interrupt(&self) {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process_group(id, rustix::process::Signal::INT).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Purser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
