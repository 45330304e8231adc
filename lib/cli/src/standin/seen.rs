//! The requests that came in, as they came in.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::Value;

/// Older ones are dropped.
const KEPT: usize = 256;

/// One request to `/v1/…`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// All headers, names in lower case, several values of one name joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The body: as JSON where it is JSON, else as text, else null.
    pub body: Value,
}

#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<VecDeque<SeenRequest>>);

impl Seen {
    pub(crate) fn note(&self, parts: &http::request::Parts, body: &[u8]) {
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|all| {
                    all.push_str(", ");
                    all.push_str(&value);
                })
                .or_insert_with(|| value.clone().into_owned());
        }
        let text = || if body.is_empty() { Value::Null } else { String::from_utf8_lossy(body).into() };
        let seen = SeenRequest {
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            headers,
            body: serde_json::from_slice(body).unwrap_or_else(|_| text()),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(seen);
    }

    pub(crate) fn requests(&self) -> Vec<SeenRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
