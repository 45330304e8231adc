//! One request, from its arrival until the last work behind it is done.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde_json::Value;

use crate::{
    Error, clock,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Wire, header},
    ids,
    observe::{Level, Record, Timings, reports},
    serve::Platform,
};

pub(crate) struct RequestState {
    pub(crate) request_id: String,
    pub(crate) platform: Box<dyn Platform>,
    pub(crate) timings: Timings,
    pub(crate) record: Record,
    /// The shape in which the route tells its errors and limits.
    pub(super) wire: Wire,
    /// Headers that the caller's identity asks for, such as the anonymous cookie; errors carry them as well.
    pub(super) extra_headers: Mutex<Vec<(HeaderName, HeaderValue)>>,
    started: Instant,
    is_loud: AtomicBool,
}

impl RequestState {
    pub(crate) fn new(route: &'static str, wire: Wire, method: &Method, platform: Box<dyn Platform>) -> Arc<Self> {
        let record = Record::default();
        let request_id = ids::new_id();
        record.set("at_ms", clock::now_ms());
        record.set("route", route);
        record.set("method", method.as_str());
        record.set("request_id", request_id.clone());
        Arc::new(Self {
            request_id,
            platform,
            timings: Timings::default(),
            record,
            wire,
            extra_headers: Mutex::default(),
            started: Instant::now(),
            is_loud: AtomicBool::new(false),
        })
    }

    pub(crate) fn answered(&self, status: StatusCode) {
        self.record.set("status", status.as_u16());
        self.record.set("head_ms", self.elapsed_ms());
    }

    pub(crate) fn failed(&self, error: &Error) {
        self.record.set("code", error.code().as_str());
        if let Some(text) = error.log_text() {
            self.record.set("error", text);
        }
    }

    pub(super) fn loud(&self) {
        self.is_loud.store(true, Ordering::Relaxed);
    }

    pub(super) fn decorate(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        if let Ok(timing) = HeaderValue::from_str(&self.timings.header(self.started.elapsed())) {
            headers.insert(HeaderName::from_static("server-timing"), timing);
        }
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        for (name, value) in self.extra_headers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            headers.append(name, value);
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The answer, its body and all work behind it hold the state; when the last of them is done, the line is written.
impl Drop for RequestState {
    fn drop(&mut self) {
        self.record.set("ms", self.elapsed_ms());
        for (step, us) in self.timings.steps_us() {
            self.record.set(step_field(step), us);
        }
        let line = self.record.fields();
        let level = match self.record.status() {
            _ if self.is_loud.load(Ordering::Relaxed) => Level::Error,
            Some(500..) => Level::Error,
            Some(400..) => Level::Warn,
            _ => Level::Info,
        };
        if level == Level::Error
            && let Some(work) = reports::report(&line)
        {
            self.platform.after(work);
        }
        self.platform.log(level, &Value::Object(line).to_string());
    }
}

/// Steps are microseconds in the log.
fn step_field(step: &'static str) -> &'static str {
    match step {
        "auth" => "auth_us",
        "limit" => "limit_us",
        "store" => "store_us",
        "model" => "model_us",
        "recording" => "recording_us",
        "settle" => "settle_us",
        "stripe" => "stripe_us",
        other => other,
    }
}
