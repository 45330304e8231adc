//! The run's own Redis: it can be stopped, hung and emptied.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use purser::cache::{Arg, Cache};
use rustix::process::Signal;
use tokio::{process::Child, time::sleep};

use super::{
    postgres::signal,
    program::{self, As},
};

/// A server that does not answer after this time never will.
const START: Duration = Duration::from_secs(10);

/// A Redis that keeps nothing on disk.
#[derive(Debug)]
pub(super) struct Redis {
    folder: PathBuf,
    port: u16,
    child: Child,
}

impl Redis {
    pub(super) async fn start(folder: &Path) -> Result<Self, String> {
        let port = program::free_port()?;
        let mut redis = Self { folder: folder.to_owned(), port, child: spawn(folder, port)? };
        redis.ready().await?;
        Ok(redis)
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it at once. What it knew is gone.
    pub(super) async fn stop(&mut self) {
        let _ = self.child.kill().await;
    }

    /// Starts it again, empty, on the same port.
    pub(super) async fn start_again(&mut self) -> Result<(), String> {
        self.child = spawn(&self.folder, self.port)?;
        self.ready().await
    }

    /// It takes connections and answers nothing.
    pub(super) fn hang(&self) {
        signal(&self.child, Signal::STOP);
    }

    /// It goes on, with all that came meanwhile.
    pub(super) fn go_on(&self) {
        signal(&self.child, Signal::CONT);
    }

    /// Goes on, or starts again, if it does not run.
    pub(super) async fn mend(&mut self) -> Result<(), String> {
        self.go_on();
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => self.start_again().await,
        }
    }

    async fn ready(&mut self) -> Result<(), String> {
        let until = Instant::now() + START;
        loop {
            let cache = Cache::tcp(&self.url(), "").map_err(|error| error.to_string())?;
            if cache.command(&[Arg::from("PING")]).await.is_ok() {
                return Ok(());
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || Instant::now() > until {
                return Err(format!("Redis does not start on port {}", self.port));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A stopped process is killed all the same.
        let _ = self.child.start_kill();
    }
}

fn spawn(folder: &Path, port: u16) -> Result<Child, String> {
    let mut server = program::command(&program::find("redis-server")?, As::Caller);
    server.args(["--bind", "127.0.0.1", "--port"]).arg(port.to_string()).arg("--dir").arg(folder);
    server.args(["--save", "", "--appendonly", "no"]);
    server.stdout(Stdio::null()).stderr(Stdio::null());
    server.spawn().map_err(|error| format!("Redis cannot be run: {error}"))
}
