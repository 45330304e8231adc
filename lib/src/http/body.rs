//! The body of an answer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// Chunks that may wait for a slow client before the producer has to.
const STREAM_CHUNKS: usize = 64;

/// What a producer writes a streamed body with. A failed send means that the client has left.
pub type StreamSender = mpsc::Sender<Bytes>;

/// A whole body or a stream of chunks, each passed on as it comes.
pub struct Body {
    content: Content,
    sent_bytes: u64,
    on_end: Option<Box<dyn FnOnce(u64) + Send + Sync>>,
}

enum Content {
    Whole(Bytes),
    Stream(mpsc::Receiver<Bytes>),
}

/// A streamed body and its sender. The body ends when the sender is dropped.
pub fn stream() -> (StreamSender, Body) {
    let (sender, receiver) = mpsc::channel(STREAM_CHUNKS);
    (sender, Body { content: Content::Stream(receiver), sent_bytes: 0, on_end: None })
}

impl Body {
    /// Runs `on_end` with the number of bytes handed to the connection, once the body is over:
    /// sent to its end, or given up because the client left.
    pub fn on_end(&mut self, on_end: impl FnOnce(u64) + Send + Sync + 'static) {
        self.on_end = Some(Box::new(on_end));
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self { content: Content::Whole(bytes), sent_bytes: 0, on_end: None }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let next = match &mut self.content {
            Content::Whole(bytes) if bytes.is_empty() => None,
            Content::Whole(bytes) => Some(std::mem::take(bytes)),
            Content::Stream(receiver) => std::task::ready!(receiver.poll_recv(cx)),
        };
        if let Some(chunk) = &next {
            self.sent_bytes = self.sent_bytes.saturating_add(chunk.len() as u64);
        }
        Poll::Ready(next.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(on_end) = self.on_end.take() {
            on_end(self.sent_bytes);
        }
    }
}
