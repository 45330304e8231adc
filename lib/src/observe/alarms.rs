//! What has to be said loudly and belongs to no request. The next request of the process takes it to the log.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
};

/// Work that an alarm asks for, such as telling somebody.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something to say.
pub struct Alarm {
    /// Its log line: figures, ids and codes.
    pub line: serde_json::Value,
    /// Done behind the request that logs it.
    pub work: Option<Work>,
}

/// More than a few means that nobody comes to take them.
const PENDING_MAX: usize = 64;

static PENDING: Mutex<Vec<Alarm>> = Mutex::new(Vec::new());

/// Leaves an alarm for the next who can log it. The oldest goes where there are too many.
pub fn raise(alarm: Alarm) {
    let mut pending = PENDING.lock().unwrap_or_else(PoisonError::into_inner);
    if pending.len() >= PENDING_MAX {
        pending.remove(0);
    }
    pending.push(alarm);
}

/// All alarms that nobody has taken.
pub(crate) fn take() -> Vec<Alarm> {
    std::mem::take(&mut *PENDING.lock().unwrap_or_else(PoisonError::into_inner))
}
