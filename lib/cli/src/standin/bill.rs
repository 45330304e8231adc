//! The bill: what each accepted call costs its caller, in tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use purser::usage::Usage;
use serde::Serialize;
use tokio::sync::watch;

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Not over yet; its usage still grows.
    Running,
    /// The whole answer went out.
    Finished,
    /// The answer ended before it was complete: an error event, or either side closed the connection.
    Cut,
}

/// One accepted call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BilledCall {
    /// The message's id, `msg_…`.
    pub id: String,
    /// The `request-id` header of the answer.
    pub request_id: String,
    /// What the directive `bill_as` calls it.
    pub label: Option<String>,
    /// The model that the answer names.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// What is billed. Final unless `state` is running.
    pub usage: Usage,
    /// How far it has come.
    pub state: CallState,
    /// Whether `usage` is charged at all: a refusal before any output, a call that never got a head, is not.
    pub billed: bool,
}

#[derive(Debug)]
pub(crate) struct Bill {
    calls: Mutex<Vec<BilledCall>>,
    changed: watch::Sender<()>,
}

impl Bill {
    pub(crate) fn new() -> Self {
        Self { calls: Mutex::default(), changed: watch::Sender::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<BilledCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn calls(&self) -> Vec<BilledCall> {
        self.lock().clone()
    }

    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    pub(crate) async fn settled(&self, count: usize) -> Vec<BilledCall> {
        let mut changes = self.changed.subscribe();
        loop {
            let calls = self.calls();
            if calls.len() >= count && calls.iter().all(|call| call.state != CallState::Running) {
                return calls;
            }
            if changes.changed().await.is_err() {
                return calls;
            }
        }
    }

    /// Puts a call on the bill. It counts as cut until [`OpenCall::finish`] is called.
    pub(crate) fn open(self: &Arc<Self>, call: BilledCall) -> OpenCall {
        let id = call.id.clone();
        self.lock().push(call);
        self.changed.send_replace(());
        OpenCall { bill: self.clone(), id, finished: false }
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut BilledCall)) {
        if let Some(call) = self.lock().iter_mut().rev().find(|call| call.id == id) {
            change(call);
        }
        self.changed.send_replace(());
    }
}

/// A running call's line on the bill.
pub(crate) struct OpenCall {
    bill: Arc<Bill>,
    id: String,
    finished: bool,
}

impl OpenCall {
    /// What was used up to now.
    pub(crate) fn used(&self, usage: &Usage) {
        self.bill.change(&self.id, |call| call.usage = usage.clone());
    }

    /// The call is complete.
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let state = if self.finished { CallState::Finished } else { CallState::Cut };
        self.bill.change(&self.id, |call| call.state = state);
    }
}
