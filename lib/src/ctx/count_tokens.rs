//! Counting tokens: free, so nothing is held and nothing is written down; a window of its own keeps it civil.

use std::time::Duration;

use super::{Ctx, admission::unavailable, prepare::forwarded};
use crate::{
    Code, Error,
    auth::{Caller, Kind},
    claude::{ClaudeError, Next, UpstreamResponse},
    config::plans::{COUNT_TOKENS_REQUESTS, COUNT_TOKENS_WINDOW_S},
    http::{Body, HeaderName, HeaderValue, Request, Response, header},
    ids::CallId,
    limit::{Ask, Decision, Policy},
};

/// Counting is quick; a count that takes longer is a fault.
const COUNT_MAX: Duration = Duration::from_secs(30);
/// Far above any count.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

impl Ctx {
    /// Asks Claude how many tokens a request would have; the body goes out as it came.
    ///
    /// # Errors
    /// `limit_exceeded`, `limiter_unavailable`, `claude_*`.
    pub async fn count_tokens(&self, caller: &Caller, request: &Request) -> Result<Response, Error> {
        let claude = self.claude()?;
        let call = forwarded(request, "/v1/messages/count_tokens", COUNT_MAX)?;
        self.take_a_count(caller).await?;
        let mut counted = self.time("model", claude.send(&call)).await?;
        let mut response = Response::new(Body::from(whole(&mut counted).await?));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in
            [("request-id", Some(self.request_id().to_owned())), ("x-upstream-request-id", counted.request_id())]
        {
            if let Some(Ok(value)) = value.map(|text| HeaderValue::from_str(&text)) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        Ok(response)
    }

    async fn take_a_count(&self, caller: &Caller) -> Result<(), Error> {
        let policies = windows(caller);
        let ask = Ask {
            call_id: &CallId::new(),
            policies: &policies,
            hold_nanousd: 0,
            hold_ttl_ms: COUNT_TOKENS_WINDOW_S * 1_000,
        };
        let decision = self.time("limit", self.limiter()?.reserve(&ask)).await.map_err(unavailable)?;
        self.add_limit_headers(&policies, decision.standings());
        let Decision::Refused { violated, retry_after_ms, .. } = decision else { return Ok(()) };
        let detail = format!("{COUNT_TOKENS_REQUESTS} counts in {COUNT_TOKENS_WINDOW_S} seconds are used up.");
        let error = Error::new(Code::LimitExceeded, detail).member("violated-policies", violated);
        Err(match retry_after_ms {
            Some(ms) => error.retry_after_s(ms.div_ceil(1_000).max(1)),
            None => error,
        })
    }
}

fn windows(caller: &Caller) -> Vec<Policy> {
    let window = |name: &str, subject: &str| Policy::Window {
        name: name.to_owned(),
        subject: subject.to_owned(),
        limit: COUNT_TOKENS_REQUESTS,
        window_ms: COUNT_TOKENS_WINDOW_S * 1_000,
    };
    match &caller.kind {
        Kind::User => vec![window("count-tokens", caller.id.as_str())],
        Kind::Anonymous { network, .. } => {
            vec![window("count-tokens-network", network), window("count-tokens-browser", caller.id.as_str())]
        }
    }
}

async fn whole(answer: &mut UpstreamResponse) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    loop {
        match answer.next(COUNT_MAX).await? {
            Next::Chunk(chunk) if bytes.len() + chunk.len() <= ANSWER_MAX_BYTES => bytes.extend_from_slice(&chunk),
            Next::Chunk(_) => return Err(ClaudeError::protocol("a count is too large").into()),
            Next::Silence => return Err(ClaudeError::Timeout.into()),
            Next::End => return Ok(bytes),
        }
    }
}
