//! The AI SDK's body and stream, and the JSON of stored conversations. Pure translation: nothing here does I/O.
//!
//! | module | translates |
//! | --- | --- |
//! | [`body`] | what a client posts → who says what, in which conversation |
//! | [`prompt`] | the stored history → the body of a Messages API request |
//! | [`ui_stream`] | Claude's stream events → the AI SDK's UI message stream |
//! | [`reply`] | a finished call → the JSON answer, usage and limits included |
//! | [`content`] | stored content blocks ↔ plain text |
//! | [`title`] | a first message → a conversation's title |

pub mod body;
pub mod content;
mod events;
mod json;
pub mod prompt;
pub mod reply;
pub mod title;
mod ui_message;
pub mod ui_stream;

pub use body::{ChatBody, Role, Seed, Turn};
pub use prompt::{Past, Prompt};
pub use reply::{Bill, ChatReply, Left};
pub use ui_stream::{Start, UiStream};
