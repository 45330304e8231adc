//! A function's process, and calls to it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Request, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

use super::{
    coming::{Coming, Socket},
    errand::Errand,
    witness::Witness,
};
use crate::{
    background, body,
    serve::instance::{Instance, Launch},
};

/// A client that waits longer than this for an answer's head waits for ever.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// A function has this long to finish what it has registered.
const DRAIN: Duration = Duration::from_secs(60);

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    instance: Instance,
    numbers: AtomicU64,
    labels: Mutex<HashMap<u64, String>>,
    witness: Arc<Witness>,
}

impl Process {
    pub(super) async fn start(launch: &Launch, witness: Arc<Witness>) -> Result<Self, String> {
        let instance = Instance::start(launch).await?;
        Ok(Self { instance, numbers: AtomicU64::new(1), labels: Mutex::default(), witness })
    }

    /// Makes a call; nothing, where the connection ended without an answer.
    pub(super) async fn call(&self, errand: &Errand, token: &str) -> Option<Coming> {
        self.witness.begins(errand);
        let request = Request::post(errand.route.path())
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("anthropic-version", "2023-06-01");
        let from = Instant::now();
        let sent = timeout(PATIENCE, self.send(request, &errand.body(), Some(&errand.label))).await;
        let waited = from.elapsed();
        // A gate before the head is the prover's own doing.
        let is_held = errand.directives.contains("gate=") && (errand.directives.contains("@0") || !errand.is_stream());
        self.witness.note(&errand.label, |seen| {
            seen.waited = (!is_held).then_some(waited);
            seen.is_unanswered = sent.is_err();
            seen.is_over = !matches!(&sent, Ok(Ok(coming)) if coming.status == 200);
        });
        let coming = sent.ok()?.ok()?;
        self.witness.note(&errand.label, |seen| seen.status = Some(coming.status));
        Some(coming)
    }

    /// A request that is no call, such as cron's.
    pub(super) async fn ask(&self, path: &str, bearer: &str) -> Result<(u16, String), String> {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        let asked = async { Ok(self.send(request, &Value::Null, None).await?.rest().await) };
        let answered: Result<_, String> = timeout(DRAIN, asked).await.map_err(|_| format!("{path}: no answer"))?;
        answered.map(|answer| (answer.status, answer.text))
    }

    async fn send(&self, request: http::request::Builder, body: &Value, label: Option<&str>) -> Result<Coming, String> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        if let Some(label) = label {
            self.labels.lock().unwrap_or_else(PoisonError::into_inner).insert(number, label.to_owned());
        }
        // What is waited for is the function's word that all work is over, not the answer.
        self.instance.open.begin(number);
        self.instance.open.answered(number);
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = request
            .header(header::HOST, "localhost")
            .header("x-vercel-internal-invocation-id", format!("prove-{number}"))
            .header("x-vercel-internal-request-id", number)
            .body(body::full(text))
            .map_err(|error| error.to_string())?;
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.instance.port)).await else {
            // Nothing was sent, so nothing is worked on.
            self.instance.open.broken(number);
            return Err("the process takes no connection".to_owned());
        };
        let _ = stream.set_nodelay(true);
        let failed = |error: hyper::Error| error.to_string();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let socket = Socket::new(background::start(connection));
        let response = sender.send_request(request).await.map_err(failed)?;
        Ok(Coming::new(response, socket))
    }

    /// Resolves when all work behind all calls is over; false where it takes too long.
    pub(super) async fn quiet(&self) -> bool {
        timeout(DRAIN, self.instance.open.none_left()).await.is_ok()
    }

    /// SIGKILL. Calls that were not over are marked: their process could not know how they ended.
    pub(super) async fn kill(&self) {
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for label in self.instance.open.left().iter().filter_map(|number| labels.get(number)) {
            self.witness.note(label, |seen| seen.is_killed = true);
        }
        self.instance.kill().await;
    }

    /// SIGTERM, and no waiting.
    pub(super) fn tell_to_stop(&self) {
        self.instance.tell_to_stop();
    }

    /// SIGTERM, on which the process finishes its work.
    pub(super) async fn terminate(&self) {
        self.instance.stop(DRAIN).await;
    }
}
