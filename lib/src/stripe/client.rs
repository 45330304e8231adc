//! One request with its retries.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;

use super::{Form, StripeError};
use crate::{config::Secret, ids, net};

/// The API version that every request names (the newest of `stripe` 23.1.0 on npm, 2026-10-29).
pub const VERSION: &str = "2026-10-28.endive";

/// Attempts after the first (the official SDK's number).
const RETRIES: u32 = 2;
/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// How long all attempts may take: a browser or Stripe's own webhook client waits.
const REQUEST_MAX: Duration = Duration::from_secs(20);

/// Stripe with the deployment's key. Cheap to clone; opens nothing before its first use.
#[derive(Clone, Debug)]
pub struct Stripe {
    base_url: String,
    secret_key: Secret,
    http: &'static reqwest::Client,
}

/// How an attempt failed, and whether another one makes sense.
struct Failed {
    error: StripeError,
    may_retry: bool,
}

impl Stripe {
    /// A client of the API at `base_url`, which has no slash at its end.
    pub fn new(base_url: &str, secret_key: Secret) -> Self {
        Self { base_url: base_url.to_owned(), secret_key, http: net::http_client() }
    }

    /// Reads. `path` begins with `/v1/`.
    ///
    /// # Errors
    /// [`StripeError`].
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &Form) -> Result<T, StripeError> {
        let url = match query.as_str() {
            "" => format!("{}{path}", self.base_url),
            query => format!("{}{path}?{query}", self.base_url),
        };
        self.send(|| self.http.request(Method::GET, &url)).await
    }

    /// Writes. Under one idempotency key Stripe does it once, however often it is asked: retries are safe, and so is
    /// a second request of ours with the same key.
    ///
    /// # Errors
    /// [`StripeError`].
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, form: &Form, key: &str) -> Result<T, StripeError> {
        let url = format!("{}{path}", self.base_url);
        self.send(|| {
            self.http
                .request(Method::POST, &url)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("idempotency-key", key)
                .body(form.as_str().to_owned())
        })
        .await
    }

    /// Deletes; doing so twice is the same as once, so no key is needed.
    ///
    /// # Errors
    /// [`StripeError`].
    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, StripeError> {
        let url = format!("{}{path}", self.base_url);
        self.send(|| self.http.request(Method::DELETE, &url)).await
    }

    async fn send<T: DeserializeOwned>(&self, request: impl Fn() -> RequestBuilder) -> Result<T, StripeError> {
        let until = Instant::now() + REQUEST_MAX;
        let mut attempt = 0;
        loop {
            let Failed { error, may_retry } = match self.attempt(request()).await {
                Ok(body) => {
                    return serde_json::from_slice(&body)
                        .map_err(|_| StripeError::Nonsense("an object that lacks what it must have"));
                }
                Err(failed) => failed,
            };
            let wait = backoff(attempt);
            if !may_retry || attempt == RETRIES || Instant::now() + wait + ATTEMPT_MAX > until {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, request: RequestBuilder) -> Result<bytes::Bytes, Failed> {
        let request = request.bearer_auth(self.secret_key.expose()).header("stripe-version", VERSION);
        let broken = |error: reqwest::Error| {
            let why = if error.is_timeout() { "no answer in time" } else { "the connection failed" };
            Failed { error: StripeError::Unreachable(why), may_retry: true }
        };
        let response = request.timeout(ATTEMPT_MAX).send().await.map_err(broken)?;
        let status = response.status();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (request_id, should_retry) = (header("request-id"), header("stripe-should-retry"));
        let body = response.bytes().await.map_err(broken)?;
        if status.is_success() {
            return Ok(body);
        }
        // The official SDK's rule: Stripe's own word, else conflicts and faults of its own.
        let may_retry = match should_retry.as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => status.as_u16() == 409 || status.is_server_error(),
        };
        Err(Failed { error: StripeError::refused(status.as_u16(), request_id, &body), may_retry })
    }
}

/// Half a second, doubled each time, less up to half of it at random (the official SDK's rule).
fn backoff(attempt: u32) -> Duration {
    let full_ms = 500_u64 << attempt.min(2);
    let random = ids::new_id().bytes().rev().take(4).fold(0_u64, |sum, byte| sum * 31 + u64::from(byte));
    Duration::from_millis(full_ms - random % (full_ms / 2))
}
