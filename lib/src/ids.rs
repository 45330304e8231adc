//! Identifiers: UUIDv7 (RFC 9562), made here, sortable by time of making.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A fresh UUIDv7 in its usual hyphenated text.
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// One request to Claude: the key of the ledger row, of its hold, and of everything written when it settles.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub String);

impl CallId {
    /// A new call's id.
    pub fn new() -> Self {
        Self(new_id())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CallId {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who owns conversations and calls: `user:SUB` or `anon:BROWSER`. Never an e-mail address or an IP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallerId(pub String);

impl CallerId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CallerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
