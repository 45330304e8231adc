//! A function: at most one process that takes requests, started when it is needed.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{
    environment::Environment,
    instance::{Instance, Launch},
    lines::Lines,
    project::Spec,
    sources::FileStamp,
};
use crate::{Terminal, background};

/// One function and its process.
#[derive(Debug)]
pub(super) struct Function {
    /// How long a request may take.
    pub(super) max_duration: Option<Duration>,
    launch: Launch,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Instance>>,
    closed: bool,
}

/// How long a replaced process may go on with what it has begun.
const RETIREMENT: Duration = Duration::from_secs(30);

impl Function {
    pub(super) fn new(
        spec: &Spec,
        bin_dir: &Path,
        root: &Path,
        sockets: &Path,
        environment: &Environment,
        terminal: Terminal,
    ) -> Self {
        let launch = Launch {
            name: spec.name.clone(),
            bin: bin_dir.join(&spec.name),
            root: root.to_owned(),
            sockets: sockets.to_owned(),
            environment: environment.clone(),
            lines: Lines::Terminal(terminal),
        };
        Self { max_duration: spec.max_duration, launch, state: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.launch.name
    }

    /// The running process; a new one if there is none, or if its binary was replaced.
    pub(super) async fn instance(&self) -> Result<Arc<Instance>, String> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err("The server is stopping.".to_owned());
        }
        if let Some(current) = state.current.take() {
            let fresh = FileStamp::of(&self.launch.bin).is_ok_and(|stamp| stamp == current.stamp);
            if current.is_alive() && fresh {
                return Ok(state.current.insert(current).clone());
            }
            background::start(async move { current.retire(RETIREMENT).await });
        }
        let instance = Arc::new(Instance::start(&self.launch).await?);
        Ok(state.current.insert(instance).clone())
    }

    /// Forgets a process that does not take connections any more.
    pub(super) async fn discard(&self, instance: &Arc<Instance>) {
        let mut state = self.state.lock().await;
        if state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, instance)) {
            state.current = None;
            let instance = instance.clone();
            background::start(async move { instance.stop(RETIREMENT).await });
        }
    }

    /// Stops the process and starts none again.
    pub(super) async fn close(&self, grace: Duration) {
        let mut state = self.state.lock().await;
        state.closed = true;
        if let Some(current) = state.current.take() {
            current.stop(grace).await;
        }
    }
}
