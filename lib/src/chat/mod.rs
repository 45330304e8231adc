//! Chat: the AI SDK's body and stream on one side, stored conversations and Claude's requests on the other.
//! Pure translation: nothing here reads or writes anything.
//!
//! Facts: `ai` 7.0.173 and 6.0.326, read in source (2026-11-24).

mod body;
mod conversation;
mod file;
mod options;
mod pairs;
mod prompt;
mod reply;
mod sources;
mod title;
mod tool_results;
mod ui_history;
mod ui_message;
mod ui_part;
mod ui_stream;

pub use body::{ChatBody, ChatMessage, ChatTurnBody};
pub use conversation::{NewConversation, Rename, conversation_json, message_json};
pub use options::ChatOptions;
pub use prompt::{Prompt, PromptMessage, prompt_body};
pub use reply::{ChatReply, Finish, ReplyMessage, limits_json, usage_json};
pub use ui_history::{StoredPart, ui_messages};
pub use ui_stream::{HEARTBEAT, STREAM_END, UiStream};

use crate::json;
