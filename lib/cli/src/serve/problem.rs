//! Errors of the supervisor itself, as RFC 9457 problems.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::body::{self, Body};

/// A problem with a stable code and a sentence that says what to do.
pub(super) fn problem(status: StatusCode, code: &str, detail: &str, request_id: &str) -> Response<Body> {
    let json = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "request_id": request_id,
    });
    let mut response = Response::new(body::full(json.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
