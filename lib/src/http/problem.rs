//! Errors as clients see them.

use serde_json::{Map, Value, json};

use super::{Body, HeaderValue, Response, StatusCode, Wire, header};
use crate::{Code, Error};

/// The problem types of the IETF draft on rate-limit headers (draft-ietf-httpapi-ratelimit-headers-10, 2025-09-27).
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// A client that waits by itself should not wait longer than this.
const RETRY_BY_ITSELF_MAX_S: u64 = 60;

/// The answer that tells an error.
pub fn response(error: &Error, wire: Wire, request_id: &str) -> Response {
    let (body, media) = match wire {
        Wire::Problem => (problem(error, request_id), "application/problem+json"),
        Wire::Anthropic => (anthropic(error, request_id), "application/json"),
    };
    let mut response = Response::new(Body::from(Value::Object(body).to_string().into_bytes()));
    *response.status_mut() = StatusCode::from_u16(status(error, wire)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        // Anthropic's SDKs sleep as long as `retry-after` says, twice, with their caller waiting.
        if wire == Wire::Anthropic && seconds > RETRY_BY_ITSELF_MAX_S {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
    }
    if error.code().status() == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// RFC 9457.
fn problem(error: &Error, request_id: &str) -> Map<String, Value> {
    let code = error.code();
    let kind = match code {
        Code::LimitExceeded | Code::BudgetExceeded | Code::TooManyInFlight => QUOTA_EXCEEDED,
        Code::StoreUnavailable | Code::LimiterUnavailable | Code::ClaudeOverloaded => REDUCED_CAPACITY,
        _ => "about:blank",
    };
    let mut body = Map::new();
    body.insert("type".into(), json!(kind));
    body.insert("title".into(), json!(code.title()));
    body.insert("status".into(), json!(code.status()));
    body.insert("detail".into(), json!(error.detail()));
    body.insert("code".into(), json!(code.as_str()));
    body.insert("request_id".into(), json!(request_id));
    for (name, value) in error.members() {
        body.insert(name.clone(), value.clone());
    }
    body
}

/// The shape of Claude's API, with our code and members under `error.details`.
fn anthropic(error: &Error, request_id: &str) -> Map<String, Value> {
    let mut details = error.members().clone();
    details.insert("code".into(), json!(error.code().as_str()));
    let body = json!({
        "type": "error",
        "error": { "type": anthropic_type(error.code()), "message": error.detail(), "details": details },
        "request_id": request_id,
    });
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

/// The status that makes an SDK raise the right class: an overload is 529 on Claude's wire.
fn status(error: &Error, wire: Wire) -> u16 {
    match (wire, error.code()) {
        (Wire::Anthropic, Code::ClaudeOverloaded) => 529,
        (Wire::Anthropic, Code::InvalidBody | Code::MaxTokensTooLarge | Code::FeatureNotPriced) => 400,
        (_, code) => code.status(),
    }
}

fn anthropic_type(code: Code) -> &'static str {
    match code {
        Code::ClaudeOverloaded => "overloaded_error",
        Code::ClaudeTimeout => "timeout_error",
        _ => match code.status() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            409 => "conflict_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_snake_case_and_listed_once() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }

    #[test]
    fn what_is_for_the_log_stays_out_of_the_answer() {
        let error = Error::internal("password=hunter2");
        for wire in [Wire::Problem, Wire::Anthropic] {
            let text = match wire {
                Wire::Problem => Value::Object(problem(&error, "r")).to_string(),
                Wire::Anthropic => Value::Object(anthropic(&error, "r")).to_string(),
            };
            assert!(!text.contains("hunter2"));
            assert!(text.contains("\"request_id\":\"r\""));
        }
    }
}
