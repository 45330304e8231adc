//! What a client is answered with.

use crate::{
    chat::UiStream,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

/// What the client is sent.
pub enum ClientWire {
    /// The AI SDK's UI message stream.
    Ui(UiStream),
    /// One JSON answer of the chat route.
    Json,
    /// Claude's own bytes, as they come.
    Bytes {
        /// Whether they are an event stream.
        is_stream: bool,
    },
}

/// The headers of a UI message stream.
pub(super) fn mark_as_ui_stream(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(HeaderName::from_static("x-vercel-ai-ui-message-stream"), HeaderValue::from_static("v1"));
    // Proxies that buffer would turn the stream into one late piece.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}
