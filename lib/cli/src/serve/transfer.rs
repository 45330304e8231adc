//! Bodies on their way through: the caller's to the function, the function's to the caller.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::{
    sync::oneshot,
    time::{Sleep, timeout},
};

use super::{connections::Connection, instance::Instance};
use crate::{background, body::BodyError};

/// What a function leaves unread of an upload is read here, so that the caller gets to read the answer.
const MOST_UNREAD_BYTES: usize = 64 * 1024 * 1024;
const MOST_UNREAD_TIME: Duration = Duration::from_secs(30);

/// The caller's body.
pub(super) struct Upload {
    body: Option<Incoming>,
    /// Holds the body back until the function asks for it.
    held: Option<(oneshot::Receiver<()>, Pin<Box<Sleep>>)>,
}

impl Upload {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body: Some(body), held: None }
    }

    /// Nothing is sent until the returned sender says so, is dropped, or the time is over.
    pub(super) fn hold(&mut self, longest: Duration) -> oneshot::Sender<()> {
        let (go, wait) = oneshot::channel();
        self.held = Some((wait, Box::pin(tokio::time::sleep(longest))));
        go
    }
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some((wait, longest)) = &mut self.held {
            if Pin::new(wait).poll(cx).is_pending() && longest.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.held = None;
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        Pin::new(body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        background::start(timeout(MOST_UNREAD_TIME, drain(body)));
    }
}

async fn drain(mut body: Incoming) {
    let mut left = MOST_UNREAD_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        if bytes > left {
            return;
        }
        left -= bytes;
    }
}

/// The function's body. Read to its end, its connection is kept; dropped before, the connection is closed and the
/// function learns that the caller has left.
pub(super) struct Download {
    pub(super) body: Incoming,
    pub(super) connection: Option<Connection>,
    pub(super) instance: Arc<Instance>,
    pub(super) request: u64,
    /// When the function has had all its time.
    pub(super) deadline: Option<Pin<Box<Sleep>>>,
}

impl Download {
    fn end(&mut self, complete: bool) {
        let Some(connection) = self.connection.take() else { return };
        if complete {
            self.instance.open.answered(self.request);
            connection.put_back();
        } else {
            self.instance.open.broken(self.request);
        }
    }
}

impl hyper::body::Body for Download {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            self.end(false);
            return Poll::Ready(Some(Err("the function has had its maxDuration".into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.end(true),
            Some(Err(_)) => self.end(false),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // A body of known length is not asked again after its last byte.
        let complete = self.body.is_end_stream();
        self.end(complete);
    }
}
