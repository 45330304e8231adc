//! What a client is answered with.

use crate::chat::UiStream;

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
