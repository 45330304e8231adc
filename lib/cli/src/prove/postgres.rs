//! The run's own PostgreSQL.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::{
    process::Child,
    time::{sleep, timeout},
};
use tokio_postgres::NoTls;

use super::program::{self, As};

/// A server that does not answer after this time never will.
const START: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub(super) struct Postgres {
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl Postgres {
    /// Makes a cluster in a folder that its user may write to, and starts a server on it.
    pub(super) async fn start(folder: &Path) -> Result<Self, String> {
        let data = folder.join("data");
        let initdb = program::find_postgres("initdb")?;
        let mut making = program::command(&initdb, As::Postgres);
        making.arg("-D").arg(&data).args(["-U", "purser", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let made = making.output().await.map_err(|error| format!("initdb: {error}"))?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
        let port = program::free_port()?;
        let child = spawn(&data, port)?;
        let mut postgres = Self { folder: data, port, child };
        postgres.ready().await?;
        Ok(postgres)
    }

    /// A superuser's URL.
    pub(super) fn url(&self) -> String {
        format!("postgres://purser@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends the server as a crash would: connections break, and the next start recovers from its log.
    pub(super) async fn crash(&mut self) {
        signal(&self.child, Signal::QUIT);
        if timeout(Duration::from_secs(10), self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    /// Starts it again, on the same port.
    pub(super) async fn start_again(&mut self) -> Result<(), String> {
        self.child = spawn(&self.folder, self.port)?;
        self.ready().await
    }

    /// Starts again, if it does not run.
    pub(super) async fn mend(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => self.start_again().await,
        }
    }

    async fn ready(&mut self) -> Result<(), String> {
        let until = Instant::now() + START;
        loop {
            if tokio_postgres::connect(&self.url(), NoTls).await.is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > until {
                return Err(format!("PostgreSQL does not start on port {}", self.port));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An immediate shutdown removes its shared memory; the kill that follows a drop would not.
        signal(&self.child, Signal::QUIT);
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The crash that matters is the process's: nothing is synced to disk.
fn spawn(data: &Path, port: u16) -> Result<Child, String> {
    let mut server = program::command(&program::find_postgres("postgres")?, As::Postgres);
    server.arg("-D").arg(data).arg("-p").arg(port.to_string()).args(["-h", "127.0.0.1", "-k", ""]);
    for setting in ["fsync=off", "full_page_writes=off", "max_connections=300"] {
        server.arg("-c").arg(setting);
    }
    server.stdout(Stdio::null()).stderr(Stdio::null());
    server.spawn().map_err(|error| format!("PostgreSQL cannot be run: {error}"))
}

/// Signals a process that has not been waited for yet.
pub(super) fn signal(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(id) = id {
        let _ = rustix::process::kill_process(id, signal);
    }
}
