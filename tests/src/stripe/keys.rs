//! Idempotency keys.

use std::collections::BTreeMap;

use super::Answer;

/// What was done under which key.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<String, (Vec<u8>, Answer)>);

/// What is known of a key.
pub(super) enum Known {
    /// Nothing.
    New,
    /// The same was asked before.
    Same(Answer),
    /// Something else was asked before.
    Other,
}

impl Keys {
    pub(super) fn known(&self, key: &str, asked: &[u8]) -> Known {
        match self.0.get(key) {
            None => Known::New,
            Some((before, done)) if before == asked => Known::Same(done.clone()),
            Some(_) => Known::Other,
        }
    }

    /// Keeps the outcome. What was refused before it was begun, such as a limit or a wrong key, is not kept.
    pub(super) fn keep(&mut self, key: &str, asked: Vec<u8>, done: &Answer) {
        if !matches!(done, Err(refusal) if matches!(refusal.status, 401 | 409 | 429)) {
            self.0.insert(key.to_owned(), (asked, done.clone()));
        }
    }
}
