//! Envelopes on their way to Sentry. What is said of its API is from develop.sentry.dev, "Envelopes" and "Rate Limiting"
//! (2026-11).

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sentry::{Envelope, Transport, types::Dsn};

use crate::{clock, http::header, net};

/// More than a few means that Sentry is away: the oldest are let go.
const WAITING_MAX: usize = 30;
/// How long Sentry may take for one.
const SEND_MAX: Duration = Duration::from_secs(3);
/// How long nothing is sent where Sentry has enough and does not say for how long.
const PAUSE_S: i64 = 60;

/// Envelopes that wait to be sent. Nothing is ever sent twice.
#[derive(Default)]
pub(super) struct Envelopes {
    waiting: Mutex<VecDeque<Envelope>>,
    paused_until_ms: AtomicI64,
}

impl Transport for Envelopes {
    fn send_envelope(&self, envelope: Envelope) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back(envelope);
    }
}

impl Envelopes {
    /// Sends what waits. Nobody is told that it could not be sent: the log has every line.
    pub(super) async fn send(self: Arc<Self>, dsn: &'static Dsn) {
        while let Some(envelope) = self.next() {
            let mut body = Vec::new();
            if envelope.to_writer(&mut body).is_err() {
                continue;
            }
            let request = net::http_client()
                .post(dsn.envelope_api_url().as_str())
                .header("x-sentry-auth", dsn.to_auth(Some(concat!("purser/", env!("CARGO_PKG_VERSION")))).to_string())
                .header("content-type", "application/x-sentry-envelope")
                .timeout(SEND_MAX);
            let Ok(answer) = request.body(body).send().await else { return };
            if answer.status().as_u16() == 429 {
                let wait = answer.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
                let pause_ms = wait.unwrap_or(PAUSE_S).clamp(1, 3_600).saturating_mul(1_000);
                self.paused_until_ms.store(clock::now_ms().saturating_add(pause_ms), Ordering::Relaxed);
            }
        }
    }

    fn next(&self) -> Option<Envelope> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if clock::now_ms() < self.paused_until_ms.load(Ordering::Relaxed) {
            waiting.clear();
        }
        waiting.pop_front()
    }
}
