//! An answer as it comes.

use std::{
    pin::pin,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::ClaudeError;

/// Bytes that have come together are handed on together, up to here: one event costs as much to hand on as a hundred.
const TOGETHER_MAX_BYTES: usize = 16 * 1_024;

/// An answer whose head has come with 2xx.
#[derive(Debug)]
pub struct UpstreamResponse {
    response: reqwest::Response,
    /// What has come and has not been handed on.
    come: Vec<Bytes>,
    come_bytes: usize,
    has_asked: bool,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Whole,
    Broken,
}

impl UpstreamResponse {
    pub(super) fn new(response: reqwest::Response) -> Self {
        Self { response, come: Vec::new(), come_bytes: 0, has_asked: false, end: None }
    }

    /// Claude's id of the request.
    pub fn request_id(&self) -> Option<String> {
        self.header("request-id")
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<String> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }

    /// The next bytes: all that have come, as soon as any have. `None` is the end. Given up, it loses nothing.
    ///
    /// # Errors
    /// A protocol error when the stream breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClaudeError> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`UpstreamResponse::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ClaudeError>> {
        while self.end.is_none() && self.come_bytes < TOGETHER_MAX_BYTES {
            match pin!(self.response.chunk()).poll(cx) {
                Poll::Ready(Ok(Some(bytes))) => {
                    self.come_bytes += bytes.len();
                    self.come.push(bytes);
                    self.has_asked = false;
                }
                Poll::Ready(Ok(None)) => self.end = Some(End::Whole),
                Poll::Ready(Err(_)) => self.end = Some(End::Broken),
                Poll::Pending if self.come.is_empty() => return Poll::Pending,
                Poll::Pending if self.has_asked => break,
                // The connection's task hands over one chunk at a time, and is awake now: it comes first and brings what
                // it has read already. Nothing is waited for.
                Poll::Pending => {
                    self.has_asked = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(self.take())
    }

    fn take(&mut self) -> Result<Option<Bytes>, ClaudeError> {
        (self.come_bytes, self.has_asked) = (0, false);
        match (self.come.len(), self.end) {
            (0, Some(End::Broken)) => Err(ClaudeError::protocol("the stream broke")),
            (0 | 1, _) => Ok(self.come.pop()),
            _ => {
                let whole = self.come.concat();
                self.come.clear();
                Ok(Some(whole.into()))
            }
        }
    }
}
