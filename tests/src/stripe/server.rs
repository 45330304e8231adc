//! HTTP, keys and faults.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::{
    Answer, SECRET_KEY, Seen,
    api::{self, Params, Refusal},
    keys::{Keys, Known},
    lock,
    world::World,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) world: Mutex<World>,
    pub(super) faults: Mutex<VecDeque<Fault>>,
    pub(super) is_down: Mutex<bool>,
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) held: watch::Sender<u32>,
    pub(super) is_released: watch::Sender<bool>,
    keys: Mutex<Keys>,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: as if there were no fault.
    None,
    /// The connection is cut before anything is done.
    CutBefore,
    /// It is done, and the connection is cut before the answer.
    LoseReply,
    /// It is done, and the answer waits until [`super::StripeDouble::release`].
    HoldReply,
    /// Nothing is done, the answer is an error with this status, and stays it under the same idempotency key.
    Status(u16),
}

/// The connection is cut.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Cut {}

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(connection(socket, state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(socket: TcpStream, state: Arc<State>) {
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| {
        let state = state.clone();
        async move { state.answer(request).await }
    });
    // A client that goes away in the middle is its own business.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service).await;
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (method, path) = (&parts.method, parts.uri.path());
        let key = header("idempotency-key").filter(|_| method == Method::POST);
        lock(&self.seen).push(Seen {
            what: format!("{method} {path}"),
            key: key.clone(),
            version: header("stripe-version").unwrap_or_default(),
        });
        let fault = lock(&self.faults).pop_front().unwrap_or(Fault::None);
        if *lock(&self.is_down) || fault == Fault::CutBefore {
            return Err(Cut);
        }
        if let (&Method::GET, Some(session)) = (method, path.strip_prefix("/c/pay/")) {
            return Ok(pay(&mut lock(&self.world), session));
        }
        let text = if method == Method::GET { parts.uri.query().unwrap_or_default().as_bytes() } else { &body };
        let (mut response, is_replay) = self.once(key.as_deref(), method, path, text, || {
            if header("authorization") != Some(format!("Bearer {SECRET_KEY}")) {
                return Err(Refusal::new(401, "invalid_request_error", None, None));
            }
            if method == Method::POST && header("content-type").as_deref() != Some("application/x-www-form-urlencoded")
            {
                return Err(Refusal::new(400, "invalid_request_error", None, None));
            }
            match fault {
                Fault::Status(status) => Err(Refusal::new(status, "api_error", None, None)),
                _ => api::answer(&mut lock(&self.world), method, path, &mut Params::parse(text)?),
            }
        });
        if fault == Fault::LoseReply {
            return Err(Cut);
        }
        if fault == Fault::HoldReply {
            let mut is_released = self.is_released.subscribe();
            self.held.send_modify(|held| *held += 1);
            is_released.wait_for(|is_released| *is_released).await.map_err(|_| Cut)?;
        }
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("request-id", HeaderValue::from_static("req_double"));
        if let Some(key) = key.and_then(|key| HeaderValue::from_str(&key).ok()) {
            headers.insert("idempotency-key", key);
        }
        if is_replay {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
        Ok(response)
    }

    /// Under one key it is done once, and the first outcome is repeated, whatever it was.
    fn once(
        &self,
        key: Option<&str>,
        method: &Method,
        path: &str,
        text: &[u8],
        work: impl FnOnce() -> Answer,
    ) -> (Response<Full<Bytes>>, bool) {
        let Some(key) = key else { return (response(work()), false) };
        let asked = [method.as_str().as_bytes(), path.as_bytes(), text].join(&b' ');
        let mut keys = lock(&self.keys);
        match keys.known(key, &asked) {
            Known::New => {
                let done = work();
                keys.keep(key, asked, &done);
                (response(done), false)
            }
            Known::Same(done) => (response(done), true),
            Known::Other => (response(Err(Refusal::new(400, "idempotency_error", None, None))), false),
        }
    }
}

/// The hosted page: whoever opens it pays, and goes back to where the session says.
fn pay(world: &mut World, session: &str) -> Response<Full<Bytes>> {
    world.pay(session);
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let back = world.sessions[session]["success_url"].as_str().unwrap();
    response.headers_mut().insert("location", HeaderValue::from_str(back).unwrap());
    response
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err(refusal) => (refusal.status, Value::from(&refusal)),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}
