//! How fast an answer comes and goes: silence on Claude's side, a stall on the client's.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{price::CALL_MAX_MS, recording::Recording};
use crate::{
    claude::{ClaudeError, Next, UpstreamResponse},
    config::plans::HangUp,
    http::StreamSender,
};

/// A silent stream gets a heartbeat so often, which is also when a client that has left is noticed.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);
/// The same where a call is to end with its client: the runtime reads nothing of a connection while an answer is on its
/// way, so only a write that fails tells that nobody is there.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// A stream that is silent for so long is given up. Claude sends pings in between.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// A client that takes nothing for so long is treated as gone.
const CLIENT_STALL_MAX: Duration = Duration::from_secs(20);

/// The client's end of the stream. What it is sent is recorded, whether it is still there or not.
pub(super) struct Client {
    sender: Option<StreamSender>,
    recording: Recording,
}

impl Client {
    pub(super) fn new(sender: StreamSender, recording: Recording) -> Self {
        Self { sender: Some(sender), recording }
    }

    /// Nobody reads any more.
    pub(super) fn leave(&mut self) {
        self.sender = None;
    }

    pub(super) async fn send(&mut self, bytes: Bytes) {
        self.recording.push(&bytes);
        let Some(sender) = self.sender.as_ref().filter(|_| !bytes.is_empty()) else { return };
        if sender.send_timeout(bytes, CLIENT_STALL_MAX).await.is_err() {
            self.leave();
        }
    }

    /// Resolves when nobody reads any more.
    pub(super) async fn gone(&self) {
        if let Some(sender) = &self.sender {
            sender.closed().await;
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.sender.as_ref().is_none_or(StreamSender::is_closed)
    }
}

/// How long an answer may take, and how long it may be silent.
pub(super) struct Pace {
    every: Duration,
    until: Instant,
    heard: Instant,
}

impl Pace {
    pub(super) fn of(hang_up: HangUp) -> Self {
        let every = if hang_up == HangUp::Stop { PROBE_EVERY } else { HEARTBEAT_EVERY };
        let now = Instant::now();
        Self { every, until: now + Duration::from_millis(CALL_MAX_MS), heard: now }
    }

    pub(super) async fn next(&mut self, upstream: &mut UpstreamResponse) -> Result<Next, ClaudeError> {
        let left = self.until.saturating_duration_since(Instant::now());
        let next = upstream.next(left.min(self.every)).await?;
        if next != Next::Silence {
            self.heard = Instant::now();
        } else if left <= self.every || self.heard.elapsed() >= SILENCE_MAX {
            return Err(ClaudeError::Timeout);
        }
        Ok(next)
    }
}
