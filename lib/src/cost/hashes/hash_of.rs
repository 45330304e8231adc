//! Which hash, and how long it lives.

use super::{DAILY_MS, caller_ms, daily_key, user_key};
use crate::ids::CallerId;

/// Which hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashOf {
    /// What all callers used on a day (`YYYY-MM-DD`, UTC).
    Day(String),
    /// What a caller used in all.
    Caller(CallerId),
}

impl HashOf {
    /// Its key, without the prefix.
    pub fn key(&self) -> String {
        match self {
            Self::Day(day) => daily_key(day),
            Self::Caller(caller) => user_key(caller),
        }
    }

    pub(super) fn lives_ms(&self) -> u64 {
        match self {
            Self::Day(_) => DAILY_MS,
            Self::Caller(caller) => caller_ms(caller),
        }
    }
}
