//! An answer as it comes, on a socket that can be cut at any moment.

use std::time::Duration;

use http::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::{task::JoinHandle, time::timeout};

/// A stream that is silent for so long has no end.
const SILENCE: Duration = Duration::from_secs(60);

/// The task that drives a connection; dropping this closes the socket at once, as a client does that is killed.
#[derive(Debug)]
pub(super) struct Socket(tokio::task::AbortHandle);

impl Socket {
    pub(super) fn new(connection: JoinHandle<hyper::Result<()>>) -> Self {
        Self(connection.abort_handle())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer whose head has come. Dropping it cuts the socket.
#[derive(Debug)]
pub(super) struct Coming {
    pub(super) status: u16,
    body: Incoming,
    text: String,
    _socket: Socket,
}

/// An answer as far as it came.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
    /// The body ended in good order.
    pub(super) is_ended: bool,
}

impl Coming {
    pub(super) fn new(response: Response<Incoming>, socket: Socket) -> Self {
        let status = response.status().as_u16();
        Self { status, body: response.into_body(), text: String::new(), _socket: socket }
    }

    /// Reads on to the end, wherever that is.
    pub(super) async fn rest(mut self) -> Answer {
        let is_ended = loop {
            match timeout(SILENCE, self.body.frame()).await {
                Ok(None) => break true,
                Ok(Some(Ok(frame))) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    self.text.push_str(&String::from_utf8_lossy(&bytes));
                }
                Ok(Some(Err(_))) | Err(_) => break false,
            }
        };
        Answer { status: self.status, text: self.text, is_ended }
    }
}

impl Answer {
    /// Whether the client got the whole answer of Claude.
    pub(super) fn is_whole(&self) -> bool {
        let is_broken = self.text.contains("event: error") || self.text.contains("\"type\":\"error\"");
        let has_end = self.text.contains("event: message_stop")
            || self.text.contains("data: [DONE]")
            || self.text.contains("\"stop_reason\":");
        self.status == 200 && self.is_ended && has_end && !is_broken
    }

    /// Events of a stream.
    pub(super) fn events(&self) -> usize {
        self.text.matches("\n\n").count()
    }

    /// The code of a refusal, in either shape.
    pub(super) fn code(&self) -> Option<String> {
        let body: Value = serde_json::from_str(&self.text).ok()?;
        let code = body["code"].as_str().or_else(|| body["error"]["details"]["code"].as_str());
        code.map(str::to_owned)
    }
}
