//! The supervisor: runs the functions as the platform does, so that one binary serves here and there.
//!
//! A function is started on its first request, on a free port, with a unix socket over which it says that it is ready,
//! logs, and reports the end of each request (the invoker's protocol of `vercel_runtime` 2.4.1). Routes come from
//! `vercel.json` and the `[[bin]]` table; static files from `public/`.

mod address;
mod banner;
pub(crate) mod build;
mod config;
mod connections;
mod edge;
pub(crate) mod environment;
mod function;
pub(crate) mod instance;
mod ipc;
pub(crate) mod lines;
mod open;
mod pattern;
mod problem;
pub(crate) mod project;
mod proxy;
mod public;
mod routes;
mod server;
pub(crate) mod signals;
mod sources;
mod transfer;
mod visit;
pub(crate) mod wrapper;

use std::{
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use purser::{env, ids};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

use crate::{
    Terminal, listen,
    standin::{self, Standin},
};
use environment::Environment;
use function::Function;
use project::Project;
use signals::Signals;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// The project's folder.
    pub root: PathBuf,
    /// The port on 127.0.0.1; without one `PORT` counts, else 3000.
    pub port: Option<u16>,
    /// Whether to build what is missing or stale.
    pub build: bool,
    /// Whether to build and run optimised functions.
    pub release: bool,
    /// Where the binaries are, if not in cargo's target folder.
    pub bin_dir: Option<PathBuf>,
}

/// Functions have this long to finish what they have registered.
const DRAIN: Duration = Duration::from_secs(30);

/// The key that functions send to the stand-in.
const STANDIN_KEY: &str = "standin";

/// Serves until SIGINT or SIGTERM; the exit code is 0 after a clean end and 130 if a second signal cut it short.
///
/// # Errors
/// A sentence for the terminal: the project cannot be read or built, the port is taken.
pub async fn run(options: Options, terminal: Terminal) -> Result<u8, String> {
    let mut environment = Environment::load(&options.root)?;
    let project = Project::read(&options.root)?;
    let mut signals = Signals::new().map_err(|error| format!("cannot listen for signals: {error}"))?;
    // The port first: that it is taken should not be said after minutes of building.
    let listener = bind(&options, &environment).await?;
    let standin = start_standin(&mut environment)?;
    let builder = tokio::select! {
        builder = build::Builder::prepare(&options, &project, terminal) => builder?,
        () = signals.next() => return Ok(130),
    };
    let sockets = Sockets::create()?;
    let bin_dir = builder.bin_dir().to_owned();
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    banner::print(&project, &environment, standin.as_ref(), address, terminal);
    // The functions' socket is ours; they believe the headers that we set.
    environment.set(env::TRUST_PROXY.name, "1");
    let make =
        |spec: &project::Spec| Function::new(spec, &bin_dir, &options.root, sockets.path(), &environment, terminal);
    let functions: Vec<Arc<Function>> = project.functions.iter().map(|spec| Arc::new(make(spec))).collect();
    let app = Arc::new(server::App {
        routes: routes::Routes::new(project),
        public: public::Public::new(options.root.join("public")),
        functions: functions.clone(),
        builder,
        trust_proxy: environment.trusts_proxy,
        terminal,
    });
    let (stop, stopped) = watch::channel(false);
    tokio::select! {
        () = listen::accept(listener, app, server::answer, stopped) => {}
        () = signals.next() => {}
    }
    terminal.line("stopping: functions finish what they have begun (again to stop at once)");
    stop.send_replace(true);
    tokio::select! {
        () = drain(functions, stop) => Ok(0),
        () = signals.next() => Ok(130),
    }
}

/// Ends all functions, then gives open connections a moment to pass on what came last.
async fn drain(functions: Vec<Arc<Function>>, stop: watch::Sender<bool>) {
    let mut ending = JoinSet::new();
    for function in functions {
        ending.spawn(async move { function.close(DRAIN).await });
    }
    ending.join_all().await;
    let _ = timeout(Duration::from_secs(1), stop.closed()).await;
}

async fn bind(options: &Options, environment: &Environment) -> Result<TcpListener, String> {
    let port = match (options.port, environment.get(&env::PORT)) {
        (Some(port), _) => port,
        (None, Some(text)) => text.parse().map_err(|_| format!("PORT is `{text}`, which is no port number"))?,
        (None, None) => 3000,
    };
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("port {port} is taken: stop what listens there, or choose another one with --port or PORT")
        }
        _ => format!("cannot listen on port {port}: {error}"),
    })
}

/// Without a key for Claude, the functions get the stand-in's address.
fn start_standin(environment: &mut Environment) -> Result<Option<Standin>, String> {
    if environment.get(&env::CLAUDE_API_KEY).or_else(|| environment.get(&env::ANTHROPIC_API_KEY)).is_some() {
        return Ok(None);
    }
    let options = standin::Options { port: 0, key: Some(STANDIN_KEY.to_owned()) };
    let standin = Standin::start(options).map_err(|error| format!("the stand-in Claude cannot start: {error}"))?;
    environment.set(env::CLAUDE_BASE_URL.name, &standin.base_url());
    environment.set(env::CLAUDE_API_KEY.name, STANDIN_KEY);
    Ok(Some(standin))
}

/// The path of a socket must fit into 104 bytes (macOS; 108 on Linux).
const LONGEST_TEMPORARY_FOLDER: usize = 60;

/// The folder of the functions' sockets, for this user only; removed at the end.
pub(crate) struct Sockets(PathBuf);

impl Sockets {
    pub(crate) fn create() -> Result<Self, String> {
        let mut folder = std::env::temp_dir();
        if folder.as_os_str().len() > LONGEST_TEMPORARY_FOLDER {
            folder = "/tmp".into();
        }
        let id = ids::new_id();
        let path = folder.join(format!("purser-{}", id.rsplit('-').next().unwrap_or(&id)));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
