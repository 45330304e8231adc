//! One running process of a function.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    net::{TcpListener, UnixListener},
    process::{Child, Command},
    sync::{oneshot, watch},
    time::timeout,
};

use super::{
    connections::Connections, environment::Environment, lines::Lines, open::Open, sources::FileStamp, wrapper,
};
use crate::background;

/// A function that has not said that it listens after this time never will.
const START: Duration = Duration::from_secs(30);

/// Numbers for sockets: each process gets a fresh one.
static SOCKETS: AtomicU64 = AtomicU64::new(1);

/// How a function is started.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) name: String,
    pub(crate) bin: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) sockets: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) lines: Lines,
}

/// A process that listens.
#[derive(Debug)]
pub(crate) struct Instance {
    /// The binary that it was started from.
    pub(super) stamp: FileStamp,
    pub(super) connections: Connections,
    pub(crate) open: Arc<Open>,
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    process: Process,
}

impl Instance {
    /// Starts a process and waits until it listens; the error is a sentence for the caller.
    pub(crate) async fn start(launch: &Launch) -> Result<Self, String> {
        let name = launch.name.clone();
        let missing = |_| format!("The function `{name}` is not built: {}", "build it, or leave out --no-build.");
        let stamp = FileStamp::of(&launch.bin).map_err(missing)?;
        let socket = launch.sockets.join(SOCKETS.fetch_add(1, Ordering::Relaxed).to_string());
        let listener = UnixListener::bind(&socket).map_err(|error| format!("No socket for `{name}`: {error}."))?;
        let port = free_port().await.map_err(|error| format!("No port for `{name}`: {error}."))?;
        let open = Arc::new(Open::new());
        let (started, starts) = oneshot::channel();
        background::start(super::ipc::read(listener, name.clone(), open.clone(), started, launch.lines.clone()));
        let mut process = Process::spawn(launch, &socket, port)?;
        let port = tokio::select! {
            port = starts => port.ok(),
            _ = process.ended() => None,
            () = tokio::time::sleep(START) => None,
        };
        let Some(port) = port else {
            let end = timeout(Duration::from_secs(1), process.ended()).await;
            let why = end.unwrap_or_else(|_| format!("it was silent for {} s", START.as_secs()));
            return Err(format!("The function `{name}` did not start ({why}). Its own words are in the terminal."));
        };
        Ok(Self { stamp, connections: Connections::new(port), open, port, process })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.process.end.borrow().is_none()
    }

    /// How the process ended, if it does within that time.
    pub(super) async fn end_within(&self, time: Duration) -> Option<String> {
        timeout(time, self.process.clone().ended()).await.ok()
    }

    /// SIGKILL: nothing is finished. Resolves when the process is gone.
    pub(crate) async fn kill(&self) {
        self.process.signal(rustix::process::Signal::KILL);
        self.process.clone().ended().await;
    }

    /// SIGTERM, and no waiting.
    pub(crate) fn tell_to_stop(&self) {
        self.process.signal(rustix::process::Signal::TERM);
    }

    /// SIGTERM, on which a function finishes the work that it has registered; SIGKILL if that takes too long.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.tell_to_stop();
        if self.end_within(grace).await.is_none() {
            self.process.signal(rustix::process::Signal::KILL);
            self.end_within(grace).await;
        }
    }

    /// Lets open requests finish, then stops.
    pub(super) async fn retire(&self, grace: Duration) {
        let _ = timeout(grace, self.open.none_left()).await;
        self.stop(grace).await;
    }
}

/// The operating system's side of it.
#[derive(Clone, Debug)]
struct Process {
    id: Option<rustix::process::Pid>,
    /// How it ended, once it has.
    end: watch::Receiver<Option<String>>,
}

impl Process {
    fn spawn(launch: &Launch, socket: &Path, port: u16) -> Result<Self, String> {
        let mut command = Command::from(wrapper::process(&launch.bin));
        command
            .current_dir(&launch.root)
            .env_clear()
            .envs(launch.environment.vars())
            .env("VERCEL_IPC_PATH", socket)
            .env("VERCEL_DEV_PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is ours to handle: SIGINT kills a function at once.
            .process_group(0)
            .kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| format!("The function `{}` cannot be run: {error}.", launch.name))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        print_lines(child.stdout.take(), launch);
        print_lines(child.stderr.take(), launch);
        let (ended, end) = watch::channel(None);
        background::start(watch_over(child, ended, socket.to_owned()));
        Ok(Self { id, end })
    }

    async fn ended(&mut self) -> String {
        let end = self.end.wait_for(Option::is_some).await;
        end.ok().and_then(|end| end.clone()).unwrap_or_else(|| "it ended".to_owned())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        // After its end the id may belong to somebody else.
        if let (Some(id), true) = (self.id, self.end.borrow().is_none()) {
            let _ = rustix::process::kill_process(id, signal);
        }
    }
}

/// Waits for the end of the process, and removes its socket.
async fn watch_over(mut child: Child, ended: watch::Sender<Option<String>>, socket: PathBuf) {
    let end = child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string());
    ended.send_replace(Some(end));
    let _ = tokio::fs::remove_file(socket).await;
}

/// Passes on what a function writes, line by line, after its name.
fn print_lines(output: Option<impl AsyncRead + Unpin + Send + 'static>, launch: &Launch) {
    let Some(output) = output else { return };
    let (name, lines) = (launch.name.clone(), launch.lines.clone());
    background::start(async move {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
            lines.line(format_args!("[{name}] {}", String::from_utf8_lossy(&line).trim_end()));
            line.clear();
        }
    });
}

/// A port that was free a moment ago.
async fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port())
}
