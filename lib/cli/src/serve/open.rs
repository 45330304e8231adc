//! Requests that a function has not done with: their answer, or the work that they registered, is not over.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

#[derive(Debug, Default)]
struct Left {
    answer: bool,
    end: bool,
}

/// The open requests of one process.
#[derive(Debug)]
pub(crate) struct Open {
    requests: Mutex<HashMap<u64, Left>>,
    count: watch::Sender<usize>,
}

impl Open {
    pub(super) fn new() -> Self {
        Self { requests: Mutex::default(), count: watch::Sender::new(0) }
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<u64, Left>)) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut requests);
        requests.retain(|_, left| left.answer || left.end);
        self.count.send_replace(requests.len());
    }

    /// A request is sent.
    pub(crate) fn begin(&self, id: u64) {
        self.change(|all| {
            all.insert(id, Left { answer: true, end: true });
        });
    }

    /// The answer's last byte has come.
    pub(crate) fn answered(&self, id: u64) {
        self.change(|all| all.entry(id).or_default().answer = false);
    }

    /// The function says that all work of the request is over.
    pub(super) fn ended(&self, id: u64) {
        self.change(|all| all.entry(id).or_default().end = false);
    }

    /// The connection broke: neither will come.
    pub(crate) fn broken(&self, id: u64) {
        self.change(|all| {
            all.remove(&id);
        });
    }

    /// The requests that are open.
    pub(crate) fn left(&self) -> Vec<u64> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Resolves when no request is open.
    pub(crate) async fn none_left(&self) {
        // The sender is ours: waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}
