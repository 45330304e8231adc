//! Counting tokens: free, so nothing is held and nothing is written down; a window of its own keeps it civil.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::{
    Ctx,
    degraded::is_outage,
    plan_in_force::{identity, plan_changed, revoked},
    prepare::{forwarded, too_long},
    price::PricedCall,
};
use crate::{
    Code, Error,
    auth::{Caller, Kind},
    books::unavailable,
    chat::ChatMessage,
    claude::{API_VERSION, Asked, ClaudeError, OVERHEAD_TOKENS, UpstreamCall, UpstreamResponse},
    config::plans::{COUNT_TOKENS_REQUESTS, COUNT_TOKENS_WINDOW_S},
    http::{Body, HeaderName, HeaderValue, Request, Response, header},
    ids::CallId,
    limit::{Ask, Decision, Policy},
};

/// Counting is quick; a count that takes longer is a fault.
const COUNT_MAX: Duration = Duration::from_secs(30);
const COUNT_PATH: &str = "/v1/messages/count_tokens";
/// Far above any count.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

impl Ctx {
    /// Asks Claude how many tokens a request would have; the body goes out as it came.
    ///
    /// # Errors
    /// `limit_exceeded`, `plan_changed` (see [`Ctx::follow_plan`]), `session_revoked`, `limiter_unavailable`, `claude_*`.
    pub async fn count_tokens(&self, caller: &Caller, request: &Request) -> Result<Response, Error> {
        let claude = self.claude()?;
        let call = forwarded(request, COUNT_PATH, COUNT_MAX)?;
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
        let (call_id, policies) = (CallId::new(), windows(caller));
        let ask = Ask { identity: identity(caller), ..self.ask(&call_id, &policies, 0) };
        let decision = match self.time("limit", self.limiter()?.reserve(&ask)).await {
            Err(error) if is_outage(&error) => self.share(&ask).await?.0,
            answer => {
                let decision = answer.map_err(unavailable)?;
                self.add_limit_headers(&policies, decision.standings());
                decision
            }
        };
        let (violated, retry_after_ms) = match decision {
            Decision::Admitted { .. } => return Ok(()),
            Decision::Refused { violated, retry_after_ms, .. } => (violated, retry_after_ms),
            // Only budgets can be in the way of an ask, and there are none here.
            Decision::PlanChanged { plan } => return Err(plan_changed(&plan)),
            Decision::Revoked => return Err(revoked()),
            Decision::Obstructed(_) => return Err(Error::internal("a window is obstructed")),
        };
        let detail = format!("{COUNT_TOKENS_REQUESTS} counts in {COUNT_TOKENS_WINDOW_S} seconds are used up.");
        let error = Error::new(Code::LimitExceeded, detail).member("violated-policies", violated);
        Err(match retry_after_ms {
            Some(ms) => error.retry_after_s(ms.div_ceil(1_000).max(1)),
            None => error,
        })
    }
}

impl Ctx {
    /// Most prompt tokens of a message with files, whose bytes do not bound them; `None` for any other.
    ///
    /// A PDF has as many as its pages, which only Claude can tell: it is asked, which is free. What it says is an
    /// estimate, so there is some room above it.
    ///
    /// # Errors
    /// `prompt_too_long`, `claude_*`.
    pub(super) async fn tokens_to_keep(
        &self,
        caller: &Caller,
        priced: &PricedCall,
        message: Option<&ChatMessage>,
    ) -> Result<Option<i64>, Error> {
        let Some(message) = message.filter(|message| message.has_files()) else { return Ok(None) };
        let tokens = match message.tokens_bound() {
            Some(tokens) => tokens,
            None => {
                let counted = self.counted(priced.model.id, message).await?;
                counted.saturating_add(counted / 10).saturating_add(OVERHEAD_TOKENS)
            }
        };
        let most = caller.plan.plan().input_tokens_max;
        if tokens > most {
            return Err(too_long(most));
        }
        Ok(Some(i64::try_from(tokens).unwrap_or(i64::MAX)))
    }

    async fn counted(&self, model: &str, message: &ChatMessage) -> Result<u64, Error> {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": message.content }] });
        let call = UpstreamCall {
            path: COUNT_PATH.to_owned(),
            body: body.to_string().into(),
            version: API_VERSION.to_owned(),
            beta: None,
            asked: Asked::default(),
            head_deadline: COUNT_MAX,
        };
        let mut counted = self.time("model", self.claude()?.send(&call)).await?;
        let counted: Counted = serde_json::from_slice(&whole(&mut counted).await?).map_err(ClaudeError::protocol)?;
        Ok(counted.input_tokens)
    }
}

#[derive(Deserialize)]
struct Counted {
    input_tokens: u64,
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
        let next = tokio::time::timeout(COUNT_MAX, answer.next()).await.map_err(|_| ClaudeError::Timeout)?;
        match next? {
            Some(chunk) if bytes.len() + chunk.len() <= ANSWER_MAX_BYTES => bytes.extend_from_slice(&chunk),
            Some(_) => return Err(ClaudeError::protocol("a count is too large").into()),
            None => return Ok(bytes),
        }
    }
}
