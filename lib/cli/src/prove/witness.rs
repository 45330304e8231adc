//! What the prover itself knows of the calls that it made: what Purser may be held to.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::errand::Errand;

/// What is known of one call.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Whose it is in the ledger.
    pub(super) owner: String,
    /// Whether its answer told its usage.
    pub(super) tells_usage: bool,
    /// Its process was killed before the work behind it was over: nobody can ask of the dead that they knew.
    pub(super) is_killed: bool,
    /// The answer's status, if there was one.
    pub(super) status: Option<u16>,
    /// The code of a refusal.
    pub(super) code: Option<String>,
    /// How long the client waited for the answer's head, unless the prover itself held it back.
    pub(super) waited: Option<Duration>,
    /// It will come to no gate any more: it was refused, broke off, or has been answered.
    pub(super) is_over: bool,
    /// No answer, no end of the connection: for ever, as far as a client can tell.
    pub(super) is_unanswered: bool,
}

/// Everything that was seen, by label.
#[derive(Debug, Default)]
pub(super) struct Witness {
    calls: Mutex<BTreeMap<String, Seen>>,
    changed: watch::Sender<()>,
}

impl Witness {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call is made.
    pub(super) fn begins(&self, errand: &Errand) {
        let seen = Seen {
            owner: errand.owner(),
            tells_usage: errand.tells_usage,
            is_killed: false,
            status: None,
            code: None,
            waited: None,
            is_over: false,
            is_unanswered: false,
        };
        self.lock().insert(errand.label.clone(), seen);
    }

    pub(super) fn note(&self, label: &str, note: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.lock().get_mut(label) {
            note(seen);
        }
        self.changed.send_replace(());
    }

    /// Resolves when a call that has begun is over.
    pub(super) async fn is_over(&self, label: &str) {
        let mut changes = self.changed.subscribe();
        while !self.lock().get(label).is_some_and(|seen| seen.is_over) {
            // The sender is ours: waiting cannot fail.
            let _ = changes.changed().await;
        }
    }

    /// How many calls were answered with that status.
    pub(super) fn count(&self, status: u16) -> usize {
        self.lock().values().filter(|seen| seen.status == Some(status)).count()
    }

    pub(super) fn all(&self) -> BTreeMap<String, Seen> {
        self.lock().clone()
    }
}
