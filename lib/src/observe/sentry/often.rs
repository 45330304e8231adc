//! How often one kind of fault is told: an outage is one story, not a thousand.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// One kind is told once in so long by one instance.
const EVERY_MS: i64 = 60_000;
/// Kinds that are remembered; more than routes and codes together give.
const KINDS_MAX: usize = 500;

/// What was told when, by kind.
#[derive(Default)]
pub(super) struct Often(Mutex<HashMap<String, Told>>);

struct Told {
    at_ms: i64,
    left_out: u64,
}

impl Often {
    /// None if it was told a moment ago; else how many of the kind were left out since.
    pub(super) fn may_be_told(&self, kind: &str, now_ms: i64) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = kinds.get_mut(kind) {
            // A clock that was set back must not silence anybody.
            if (0..EVERY_MS).contains(&now_ms.saturating_sub(told.at_ms)) {
                told.left_out += 1;
                return None;
            }
            told.at_ms = now_ms;
            return Some(std::mem::take(&mut told.left_out));
        }
        if kinds.len() >= KINDS_MAX {
            kinds.clear();
        }
        kinds.insert(kind.to_owned(), Told { at_ms: now_ms, left_out: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_is_told_once_a_minute_and_says_how_many_it_left_out() {
        let often = Often::default();
        assert_eq!(often.may_be_told("a", 0), Some(0));
        assert_eq!(often.may_be_told("a", 59_999), None);
        assert_eq!(often.may_be_told("b", 59_999), Some(0));
        assert_eq!(often.may_be_told("a", 60_000), Some(1));
        assert_eq!(often.may_be_told("a", 59_000), Some(0), "the clock was set back");
    }
}
