//! Gates: places where a stream waits until a test lets it pass.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    reached: bool,
    open: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<HashMap<String, watch::Sender<Gate>>>);

impl Gates {
    fn gate(&self, name: &str) -> watch::Sender<Gate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone()
    }

    pub(crate) fn open(&self, name: &str) {
        self.gate(name).send_modify(|gate| gate.open = true);
    }

    pub(crate) async fn reached(&self, name: &str) {
        // The sender is held by the map or by us: waiting cannot fail.
        let gate = self.gate(name);
        let _ = gate.subscribe().wait_for(|gate| gate.reached).await;
    }

    pub(crate) async fn pass(&self, name: &str) {
        let gate = self.gate(name);
        gate.send_modify(|gate| gate.reached = true);
        let _ = gate.subscribe().wait_for(|gate| gate.open).await;
    }

    /// Opens all gates, so that nothing waits for ever, and forgets them.
    pub(crate) fn forget(&self) {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, gate) in gates.drain() {
            gate.send_modify(|gate| gate.open = true);
        }
    }
}
