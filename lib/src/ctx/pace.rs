//! How fast an answer comes and goes: silence on Claude's side, a stall on the client's.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::mpsc::error::TrySendError,
    time::{Instant, Sleep, sleep_until},
};

use super::{price::CALL_MAX_MS, recording::Recording};
use crate::{
    claude::{ClaudeError, UpstreamResponse},
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
        // A clock is set only where the client is behind.
        let is_sent = match sender.try_send(bytes) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(bytes)) => sender.send_timeout(bytes, CLIENT_STALL_MAX).await.is_ok(),
        };
        if !is_sent {
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

/// What came next of an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// More bytes.
    Chunk(Bytes),
    /// Nothing for a while; there may be more.
    Silence,
    /// The end.
    End,
}

/// How long an answer may take, and how long it may be silent.
pub(super) struct Pace {
    every: Duration,
    until: Instant,
    heard: Instant,
    /// When the silence was last told of, or broken.
    told: Instant,
    /// One clock for all of the answer: setting one anew for every event would cost more than reading it.
    alarm: Pin<Box<Sleep>>,
}

impl Pace {
    pub(super) fn of(hang_up: HangUp) -> Self {
        let every = if hang_up == HangUp::Stop { PROBE_EVERY } else { HEARTBEAT_EVERY };
        let now = Instant::now();
        let alarm = Box::pin(sleep_until(now + every));
        Self { every, until: now + Duration::from_millis(CALL_MAX_MS), heard: now, told: now, alarm }
    }

    pub(super) async fn next(&mut self, upstream: &mut UpstreamResponse) -> Result<Next, ClaudeError> {
        loop {
            let come = poll_fn(|cx| match upstream.poll_next(cx) {
                Poll::Ready(come) => Poll::Ready(Some(come)),
                Poll::Pending => self.alarm.as_mut().poll(cx).map(|()| None),
            });
            let come = come.await;
            let now = Instant::now();
            if let Some(come) = come {
                (self.heard, self.told) = (now, now);
                return Ok(come?.map_or(Next::End, Next::Chunk));
            }
            if now >= self.until || now.duration_since(self.heard) >= SILENCE_MAX {
                return Err(ClaudeError::Timeout);
            }
            let is_due = now.duration_since(self.told) >= self.every;
            if is_due {
                self.told = now;
            }
            self.alarm.as_mut().reset(self.until.min(self.told + self.every));
            if is_due {
                return Ok(Next::Silence);
            }
        }
    }
}
