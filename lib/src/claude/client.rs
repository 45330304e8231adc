//! The client: one POST, its answer as it comes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;

use super::{Asked, ClaudeError, UpstreamResponse};
use crate::config::Secret;

/// Attempts after the first, where nothing can have been delivered (the official SDK's number).
const RETRIES: u32 = 2;
/// A longer wait than this is the caller's to make.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(4);

/// Claude's API with the deployment's key.
#[derive(Clone, Debug)]
pub struct Claude {
    base_url: String,
    api_key: Secret,
    http: &'static reqwest::Client,
}

/// One request.
#[derive(Clone, Debug)]
pub struct UpstreamCall {
    /// Path and query, such as `/v1/messages?beta=true`.
    pub path: String,
    /// The body, as it goes out.
    pub body: Bytes,
    /// `anthropic-version`.
    pub version: String,
    /// `anthropic-beta`, as the caller gave it.
    pub beta: Option<String>,
    /// Speed and place that the body asks for.
    pub asked: Asked,
    /// How long the answer's head may take; a call that is not streamed has its head only at the end.
    pub head_deadline: Duration,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
    details: Option<ErrorDetails>,
}

#[derive(Deserialize)]
struct ErrorDetails {
    error_code: Option<String>,
}

impl Claude {
    /// A client; nothing is opened yet.
    pub fn new(base_url: &str, api_key: Secret) -> Self {
        Self { base_url: base_url.to_owned(), api_key, http: crate::net::http_client() }
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// The Messages API has no idempotency key: every accepted request is billed. So a retry happens only where
    /// nothing can have been accepted: no connection, or an error answer that invites one.
    ///
    /// # Errors
    /// [`ClaudeError`]; an answer that is not 2xx is one.
    pub async fn send(&self, call: &UpstreamCall) -> Result<UpstreamResponse, ClaudeError> {
        let until = Instant::now() + call.head_deadline;
        let mut attempt = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (error, wait) = match tokio::time::timeout(left, self.attempt(call)).await {
                Err(_) => return Err(ClaudeError::Timeout),
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(failed)) => failed,
            };
            let Some(wait) = wait.filter(|wait| attempt < RETRIES && *wait <= RETRY_WAIT_MAX) else {
                return Err(error);
            };
            if until.saturating_duration_since(Instant::now()) <= wait {
                return Err(error);
            }
            tokio::time::sleep(wait.max(backoff(attempt))).await;
            attempt += 1;
        }
    }

    /// One attempt; an error comes with the wait before the next, where one is allowed.
    async fn attempt(&self, call: &UpstreamCall) -> Result<UpstreamResponse, (ClaudeError, Option<Duration>)> {
        let mut request = self
            .http
            .post(format!("{}{}", self.base_url, call.path))
            .header("x-api-key", self.api_key.expose())
            .header("anthropic-version", &call.version)
            .header("content-type", "application/json")
            .body(call.body.clone());
        if let Some(beta) = &call.beta {
            request = request.header("anthropic-beta", beta);
        }
        let response = request.send().await.map_err(|error| {
            // Only a connection that was never made is certain to have delivered nothing.
            if error.is_connect() {
                return (ClaudeError::Unreachable("no connection".to_owned()), Some(Duration::ZERO));
            }
            (ClaudeError::protocol("the connection broke before the answer"), None)
        })?;
        if response.status().is_success() {
            return Ok(UpstreamResponse::new(response));
        }
        Err(refusal(response).await)
    }
}

/// An error answer, and whether it invites another attempt.
async fn refusal(response: reqwest::Response) -> (ClaudeError, Option<Duration>) {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request_id = header("request-id");
    let retry_after_s = header("retry-after").and_then(|text| text.trim().parse().ok()).filter(|seconds| *seconds > 0);
    let should_retry = header("x-should-retry");
    let body = response.bytes().await.unwrap_or_default();
    // The body of a 413 comes from a proxy in front and need not be JSON.
    let error = serde_json::from_slice::<ErrorBody>(&body).map(|body| body.error).unwrap_or(ErrorObject {
        kind: "api_error".to_owned(),
        message: format!("Claude's API answered {status}."),
        details: None,
    });
    let error_code = error.details.and_then(|details| details.error_code);
    let is_spend_limit = error_code.as_deref().is_some_and(|code| code.ends_with("spend_limit_reached"));
    let may_retry = match should_retry.as_deref() {
        Some("true") => true,
        Some("false") => false,
        _ if is_spend_limit => false,
        // Without `retry-after` a 429 is a limit that does not pass by waiting.
        _ if status == 429 => retry_after_s.is_some(),
        _ => matches!(status, 408 | 409 | 500 | 502 | 503 | 529),
    };
    let wait = may_retry.then(|| Duration::from_secs(retry_after_s.unwrap_or(0)));
    let kind = error.kind;
    (ClaudeError::Refused { status, kind, message: error.message, error_code, retry_after_s, request_id }, wait)
}

/// Half a second, doubled each time, less up to a quarter at random (the official SDK's rule).
fn backoff(attempt: u32) -> Duration {
    let full_ms = 500_u64 << attempt.min(4);
    let random = uuid::Uuid::now_v7().as_u128() as u64;
    Duration::from_millis(full_ms - random % (full_ms / 4))
}
