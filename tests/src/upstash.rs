//! A double of Upstash's REST API in front of a real Redis.
//!
//! Written after <https://upstash.com/docs/redis/features/restapi> (2026-08), and held against the official
//! `@upstash/redis` client by `tests/limit/official_client.rs`.

mod backend;
mod wire;

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use self::{
    backend::Backend,
    wire::{Asked, Encoding},
};

/// The double; stops when it is dropped.
#[derive(Debug)]
pub struct UpstashDouble {
    url: String,
    token: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    token: String,
    backend: Backend,
    requests: AtomicUsize,
    latency: Mutex<Duration>,
    error: Mutex<Option<String>>,
}

impl UpstashDouble {
    /// Starts on a free port of this machine, in front of the Redis at `redis_url`.
    ///
    /// # Errors
    /// That Redis cannot be reached, or no port is free.
    pub async fn start(redis_url: &str) -> io::Result<Self> {
        let token = crate::services::unique("token");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State {
            token: token.clone(),
            backend: Backend::connect(redis_url).await.map_err(io::Error::other)?,
            requests: AtomicUsize::new(0),
            latency: Mutex::default(),
            error: Mutex::default(),
        });
        #[expect(clippy::disallowed_methods, reason = "a server of the tests")]
        let server = tokio::spawn(serve(listener, state.clone()));
        Ok(Self { url, token, state, server })
    }

    /// Where it listens, as in `UPSTASH_REDIS_REST_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it wants, as in `UPSTASH_REDIS_REST_TOKEN`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// HTTP requests so far: round trips.
    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }

    /// Every answer from now on takes that much longer.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.state.latency) = latency;
    }

    /// Every command from now on fails with this text, such as that of a used-up quota; `None` ends it.
    pub fn set_error(&self, error: Option<&str>) {
        *lock(&self.state.error) = error.map(str::to_owned);
    }
}

impl Drop for UpstashDouble {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
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
        async move { Ok::<_, Infallible>(state.answer(request).await) }
    });
    // A client that goes away in the middle is its own business.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service).await;
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let turn = self.requests.fetch_add(1, Ordering::SeqCst);
        let latency = *lock(&self.latency);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let (parts, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::new(),
        };
        let (status, json) = self.decide(&parts, &body).await;
        let body = if parts.method == http::Method::HEAD { Bytes::new() } else { Bytes::from(json.to_string()) };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert("content-type", http::HeaderValue::from_static("application/json"));
        headers.insert("upstash-sync-token", http::HeaderValue::from(turn));
        response
    }

    async fn decide(&self, parts: &http::request::Parts, body: &[u8]) -> (StatusCode, Value) {
        let refused = |status, text: &str| (status, json!({ "error": text }));
        if !wire::is_allowed(&parts.method) {
            return refused(StatusCode::METHOD_NOT_ALLOWED, "ERR method not allowed");
        }
        if wire::token(parts).as_deref() != Some(self.token.as_str()) {
            return refused(StatusCode::UNAUTHORIZED, "WRONGPASS invalid or missing auth token");
        }
        let failing = lock(&self.error).clone();
        if let Some(text) = failing {
            return refused(StatusCode::BAD_REQUEST, &text);
        }
        let encoding = Encoding::of(&parts.headers);
        let done = match wire::read(parts, body) {
            Ok(Asked::Command(args)) => self.backend.command(&args).await.map(|value| encoding.item(&value)),
            Ok(Asked::Pipeline(commands)) => {
                let values = self.backend.pipeline(&commands).await;
                values.map(|values| values.iter().map(|value| encoding.item(value)).collect())
            }
            Ok(Asked::MultiExec(commands)) => {
                let values = self.backend.multi_exec(&commands).await;
                values.map(|values| values.iter().map(|value| encoding.item(value)).collect())
            }
            Err(text) => Err(text),
        };
        match done {
            // A command that failed fails its request; in a pipeline it only fails its place.
            Ok(item) if item.get("error").is_some() => (StatusCode::BAD_REQUEST, item),
            Ok(json) => (StatusCode::OK, json),
            Err(text) => refused(StatusCode::BAD_REQUEST, &text),
        }
    }
}
