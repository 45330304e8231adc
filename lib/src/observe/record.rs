//! The one structured log line of a request.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All went as it should.
    Info,
    /// A client was refused, or something was retried.
    Warn,
    /// A fault of ours or of a service we need.
    Error,
}

/// The fields of a line, gathered while the request goes on.
///
/// Fields are figures, ids and codes. Prompts, tokens, e-mail and IP addresses have no place here.
#[derive(Debug, Default)]
pub struct Record(Mutex<Map<String, Value>>);

impl Record {
    /// Sets a field.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value.into());
    }

    /// The status that was answered, once it is known.
    pub fn status(&self) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get("status").and_then(Value::as_u64)
    }

    /// The fields: as JSON they are the line.
    pub fn fields(&self) -> Map<String, Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
