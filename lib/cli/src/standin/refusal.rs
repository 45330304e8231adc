//! Errors in Anthropic's shape.

use http::{HeaderValue, Response, header};
use serde_json::json;

use crate::body::{self, Body};

/// The error types and their usual statuses (platform.claude.com, "Errors", 2026-08).
const STATUSES: &[(&str, u16)] = &[
    ("invalid_request_error", 400),
    ("authentication_error", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("conflict_error", 409),
    ("request_too_large", 413),
    ("rate_limit_error", 429),
    ("api_error", 500),
    ("timeout_error", 504),
    ("overloaded_error", 529),
];

/// The status that goes with an error type; 500 for one that nobody knows.
pub(crate) fn status_of(kind: &str) -> u16 {
    STATUSES.iter().find(|(name, _)| *name == kind).map_or(500, |(_, status)| *status)
}

/// A request that is not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) message: String,
    /// `error.details.error_code`.
    pub(crate) error_code: Option<String>,
    /// `retry-after`, in seconds.
    pub(crate) retry_after_s: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            status: status_of(kind),
            kind: kind.to_owned(),
            message: message.into(),
            error_code: None,
            retry_after_s: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid_request_error", message)
    }

    pub(crate) fn response(&self, request_id: &str) -> Response<Body> {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let (Some(code), Some(error)) = (&self.error_code, error.as_object_mut()) {
            error.insert("details".to_owned(), json!({ "error_code": code }));
        }
        let json = json!({ "type": "error", "error": error, "request_id": request_id });
        let mut response = Response::new(body::full(json.to_string()));
        *response.status_mut() = http::StatusCode::from_u16(self.status).unwrap_or_default();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
