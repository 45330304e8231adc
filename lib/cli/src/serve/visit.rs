//! One line per request, when its answer is over. No query and no body is ever in it.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};

use crate::{
    Terminal,
    body::{Body, BodyError},
};

/// A request under way. Dropped without an answer, the caller has left before there was one.
pub(super) struct Visit {
    pub(super) method: String,
    pub(super) path: String,
    /// The function that answers, or what else does.
    pub(super) by: String,
    started: Instant,
    status: Option<StatusCode>,
    bytes: u64,
    /// The whole answer was passed on.
    complete: bool,
    /// The answer broke off before its end.
    broken: bool,
    terminal: Terminal,
}

impl Visit {
    pub(super) fn new(method: &http::Method, path: &str, terminal: Terminal) -> Self {
        Self {
            method: method.to_string(),
            path: path.to_owned(),
            by: "-".to_owned(),
            started: Instant::now(),
            status: None,
            bytes: 0,
            complete: false,
            broken: false,
            terminal,
        }
    }

    /// Goes along with the answer to its end.
    pub(super) fn follow(mut self, response: Response<Body>) -> Response<Body> {
        self.status = Some(response.status());
        response.map(|body| Followed { body, visit: self }.boxed_unsync())
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let status = self.status.as_ref().map_or("-", StatusCode::as_str);
        let note = match (self.broken, self.complete) {
            (true, _) => " (broken off)",
            (false, false) => " (the caller left)",
            (false, true) => "",
        };
        let (method, path, by, bytes, ms) =
            (&self.method, &self.path, &self.by, self.bytes, self.started.elapsed().as_millis());
        self.terminal.line(format_args!("{method} {path} {status} {ms} ms {bytes} B {by}{note}"));
    }
}

struct Followed {
    body: Body,
    visit: Visit,
}

impl hyper::body::Body for Followed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.visit.complete = true,
            Some(Err(_)) => self.visit.broken = true,
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.visit.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // A body of known length is not asked again after its last byte.
        self.visit.complete |= self.body.is_end_stream();
    }
}
