//! Calls of tools and their results, which Claude takes only in pairs.

use std::borrow::Cow;

use serde_json::{json, value::RawValue};

use super::prompt::{Block, Message};
use crate::Error;

/// What Claude is told of a tool that never answered: its client left, or the user spoke on.
const NOT_RUN: &str = "The tool was not run.";

/// Makes every call of a client's tool have its result in the next message, and every result its call. A conversation
/// that was shortened, broken off or spoken over goes on instead of being refused for ever.
pub(super) fn mend(messages: &mut Vec<Message<'_>>) -> Result<(), Error> {
    let mut waiting: Vec<String> = Vec::new();
    for message in messages.iter_mut() {
        if message.role == "assistant" {
            waiting.extend(message.content.iter().filter(|(block, _)| block.kind == "tool_use").map(|(b, _)| b.id()));
            continue;
        }
        message.content.retain(|(block, _)| block.kind != "tool_result" || take(&mut waiting, &block.call()));
        for id in waiting.drain(..).rev() {
            let result = json!({ "type": "tool_result", "tool_use_id": id, "content": NOT_RUN, "is_error": true });
            let raw = RawValue::from_string(result.to_string()).map_err(Error::internal)?;
            message.content.insert(0, (Block::of_kind("tool_result"), Cow::Owned(raw)));
        }
        // Results come first in a message.
        message.content.sort_by_key(|(block, _)| block.kind != "tool_result");
    }
    messages.retain(|message| !message.content.is_empty());
    Ok(())
}

/// Whether the call was waiting; it is not any more.
fn take(waiting: &mut Vec<String>, id: &str) -> bool {
    let at = waiting.iter().position(|one| one == id);
    at.map(|at| waiting.remove(at)).is_some()
}
