//! Requests and answers over HTTP.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, request::Parts};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use purser::{clock, ids};
use serde_json::{Value, json};

use super::{
    bill::{Bill, BilledCall, CallState},
    control::{self, json_response},
    directive::Directives,
    events, figures,
    gates::Gates,
    models, play, prompt,
    prompt_cache::PromptCache,
    refusal::{Refusal, status_of},
    reply::Reply,
    request::Ask,
    seen::Seen,
    validate,
};
use crate::{
    body::Body,
    listen::{Answer, Hangup},
};

/// Messages and count_tokens (platform.claude.com, "Errors", 2026-08).
const MOST_BODY_BYTES: usize = 32 * 1024 * 1024;
const ORGANIZATION: &str = "00000000-0000-4000-8000-000000000000";

#[derive(Debug)]
pub(crate) struct State {
    key: Option<String>,
    pub(crate) bill: Arc<Bill>,
    pub(crate) seen: Seen,
    pub(crate) gates: Arc<Gates>,
    cache: PromptCache,
    queue: Mutex<VecDeque<String>>,
}

impl State {
    pub(crate) fn new(key: Option<String>) -> Self {
        Self {
            key,
            bill: Arc::new(Bill::new()),
            seen: Seen::default(),
            gates: Arc::default(),
            cache: PromptCache::default(),
            queue: Mutex::default(),
        }
    }

    pub(crate) fn queue(&self, directives: &str) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(directives.to_owned());
    }

    fn queued(&self) -> Option<String> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(crate) fn forget(&self) {
        self.bill.forget();
        self.seen.forget();
        self.gates.forget();
        self.cache.forget();
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Answers one request.
pub(crate) async fn answer(state: Arc<State>, _peer: SocketAddr, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let request_id = format!("req_standin_{}", ids::new_id().replace('-', ""));
    let mut response = match Limited::new(body, MOST_BODY_BYTES).collect().await {
        Ok(body) => route(&state, &parts, body.to_bytes(), &request_id).await?,
        Err(_) => Refusal::new("request_too_large", "Request exceeds the maximum size").response(&request_id),
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert("request-id", id);
    }
    headers.insert("anthropic-organization-id", HeaderValue::from_static(ORGANIZATION));
    Ok(response)
}

async fn route(state: &Arc<State>, parts: &Parts, body: Bytes, request_id: &str) -> Answer {
    let path = parts.uri.path();
    if path.starts_with("/_standin/") {
        return Ok(control::answer(state, &parts.method, path, &body).await);
    }
    state.seen.note(parts, &body);
    match api(state, parts, &body, request_id).await {
        Ok(answer) => answer,
        Err(refusal) => Ok(refusal.response(request_id)),
    }
}

async fn api(state: &Arc<State>, parts: &Parts, body: &[u8], request_id: &str) -> Result<Answer, Refusal> {
    authenticate(&parts.headers, state.key.as_deref())?;
    let version = validate::version(text(&parts.headers, "anthropic-version"))?;
    let beta = parts.headers.contains_key("anthropic-beta");
    let path = parts.uri.path();
    if parts.method == Method::GET && path == "/v1/models" {
        return Ok(Ok(json_response(&models::page(parts.uri.query().unwrap_or_default()))));
    }
    if let (&Method::GET, Some(id)) = (&parts.method, path.strip_prefix("/v1/models/")) {
        let model = models::find(id).ok_or_else(|| Refusal::new("not_found_error", format!("model: {id}")))?;
        return Ok(Ok(json_response(&model.json())));
    }
    match (parts.method.as_str(), path) {
        ("POST", "/v1/messages/count_tokens") => {
            let body = parse(body)?;
            validate::prompt(&body, version, beta)?;
            Ok(Ok(json_response(&json!({ "input_tokens": prompt::total(&prompt::parts(&body)) }))))
        }
        ("POST", "/v1/messages") => {
            let queued = state.queued();
            let body = parse(body)?;
            let model = validate::prompt(&body, version, beta)?;
            validate::max_tokens(&body, model)?;
            let ask = Ask::read(body, model, queued)?;
            refuse_as_told(&ask.directives)?;
            Ok(message(state, ask, request_id).await)
        }
        _ => Err(Refusal::new("not_found_error", "Not found")),
    }
}

async fn message(state: &Arc<State>, ask: Ask, request_id: &str) -> Answer {
    let id = format!("msg_standin{}", ids::new_id().replace('-', ""));
    let reply = Reply::to(&ask, &id);
    let split = state.cache.charge(ask.model.id, &ask.parts, Instant::now());
    let start = figures::at_start(split, &ask.directives.cost, &ask);
    let stream = events::stream(&ask, &reply, &id, &start);
    let play = &ask.directives.play;
    let call = state.bill.open(BilledCall {
        id: id.clone(),
        request_id: request_id.to_owned(),
        label: ask.directives.cost.label.clone(),
        model: ask.directives.say.model_echo.clone().unwrap_or_else(|| ask.model_name.clone()),
        stream: ask.stream,
        usage: start,
        state: CallState::Running,
        billed: !(play.hang || play.cut_before_head || (reply.is_empty() && reply.stop_reason == "refusal")),
    });
    play::before_head(&ask, &state.gates).await?;
    let mut response = if ask.stream {
        play::streamed(ask, stream, state.gates.clone(), call)
    } else {
        play::at_once(&ask, &reply, &id, &stream, call)
    };
    rate_limit_headers(response.headers_mut());
    Ok::<Response<Body>, Hangup>(response)
}

fn refuse_as_told(directives: &Directives) -> Result<(), Refusal> {
    let failure = &directives.failure;
    if failure.error.is_none() && failure.status.is_none() {
        return Ok(());
    }
    let kind = failure.error.as_deref().unwrap_or("api_error");
    Err(Refusal {
        status: failure.status.unwrap_or_else(|| status_of(kind)),
        error_code: failure.error_code.clone(),
        retry_after_s: failure.retry_after_s,
        ..Refusal::new(kind, "The stand-in was told to fail.")
    })
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::invalid(format!("The request body is not valid JSON: {error}")))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `x-api-key`, which wins, or a bearer token.
fn authenticate(headers: &HeaderMap, required: Option<&str>) -> Result<(), Refusal> {
    let bearer = text(headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let (given, complaint) = match (text(headers, "x-api-key"), bearer) {
        (Some(key), _) => (key, "invalid x-api-key"),
        (None, Some(token)) => (token, "invalid bearer token"),
        (None, None) => ("", "x-api-key header is required"),
    };
    let good = required.map_or(!given.is_empty(), |key| key == given);
    if good { Ok(()) } else { Err(Refusal::new("authentication_error", complaint)) }
}

/// A limit that nobody reaches.
fn rate_limit_headers(headers: &mut HeaderMap) {
    let now_ms = clock::now_ms();
    let second = now_ms.div_euclid(1_000).rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let reset = format!("{}T{hour:02}:{minute:02}:{second:02}Z", clock::day_utc(now_ms));
    for (what, limit) in
        [("requests", 1_000), ("tokens", 2_400_000), ("input-tokens", 2_000_000), ("output-tokens", 400_000)]
    {
        let name = |end: &str| HeaderName::try_from(format!("anthropic-ratelimit-{what}-{end}"));
        if let (Ok(all), Ok(left), Ok(at), Ok(when)) =
            (name("limit"), name("remaining"), name("reset"), HeaderValue::from_str(&reset))
        {
            headers.insert(all, limit.into());
            headers.insert(left, limit.into());
            headers.insert(at, when);
        }
    }
}
