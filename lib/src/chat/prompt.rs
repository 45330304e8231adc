//! The Messages request of a conversation.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Error;

/// A message of the history, its content as JSON text that goes out as it is.
#[derive(Clone, Debug)]
pub struct PromptMessage {
    /// `user` or `assistant`.
    pub role: String,
    /// Content blocks.
    pub content: String,
}

/// What goes into the request.
#[derive(Clone, Debug)]
pub struct Prompt<'a> {
    /// The model.
    pub model: &'a str,
    /// Most output tokens.
    pub max_tokens: u64,
    /// The system text.
    pub system: Option<&'a str>,
    /// Oldest first.
    pub history: &'a [PromptMessage],
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    messages: Vec<Message<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: Vec<&'a RawValue>,
}

/// What is looked at in a block; the rest passes unseen.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// The body of a streamed request.
///
/// Claude gives what it would not take back: it wants the user first and last (models from 4.6 on refuse a started
/// answer), no blank text, and no message that ends in a thought. Such answers at the ends of a shortened history, such
/// blocks, and messages that are then empty are left out. Turns of the same role may follow each other.
///
/// # Errors
/// An internal error where stored content is no list of blocks.
pub fn prompt_body(prompt: &Prompt<'_>) -> Result<Vec<u8>, Error> {
    let mut messages = Vec::with_capacity(prompt.history.len());
    for message in prompt.history {
        let content = acceptable(&message.content)?;
        let is_first = messages.is_empty();
        if !content.is_empty() && (!is_first || message.role == "user") {
            messages.push(Message { role: &message.role, content });
        }
    }
    while messages.last().is_some_and(|message| message.role != "user") {
        messages.pop();
    }
    let body =
        Body { model: prompt.model, max_tokens: prompt.max_tokens, stream: true, system: prompt.system, messages };
    serde_json::to_vec(&body).map_err(Error::internal)
}

/// The blocks that Claude takes, as they are stored.
fn acceptable(content: &str) -> Result<Vec<&RawValue>, Error> {
    let blocks: Vec<&RawValue> = serde_json::from_str(content).map_err(Error::internal)?;
    let mut kept = Vec::with_capacity(blocks.len());
    let mut behind_last_thought = 0;
    for block in blocks {
        let known: Option<Block<'_>> = serde_json::from_str(block.get()).ok();
        let kind = known.as_ref().map_or("", |block| &block.kind);
        let is_blank =
            known.as_ref().and_then(|block| block.text.as_deref()).is_some_and(|text| text.trim().is_empty());
        if kind == "text" && is_blank {
            continue;
        }
        kept.push(block);
        if !matches!(kind, "thinking" | "redacted_thinking") {
            behind_last_thought = kept.len();
        }
    }
    kept.truncate(behind_last_thought);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, content: &str) -> PromptMessage {
        PromptMessage { role: role.into(), content: content.into() }
    }

    fn body(history: &[PromptMessage]) -> String {
        let prompt = Prompt { model: "m", max_tokens: 5, system: Some("Be kind."), history };
        String::from_utf8(prompt_body(&prompt).unwrap()).unwrap()
    }

    const HI: &str = r#"[{"type":"text","text":"Hi"}]"#;

    #[test]
    fn stored_content_goes_out_as_it_is() {
        let tomorrow = r#"[{"type":"tomorrow", "x":1.50,"text":{"y":"\ud800"}}]"#;
        assert_eq!(
            body(&[message("user", HI), message("assistant", tomorrow), message("user", HI)]),
            format!(
                r#"{{"model":"m","max_tokens":5,"stream":true,"system":"Be kind.","messages":[{{"role":"user","content":{HI}}},{{"role":"assistant","content":{tomorrow}}},{{"role":"user","content":{HI}}}]}}"#
            )
        );
    }

    #[test]
    fn what_claude_would_not_take_back_is_left_out() {
        let cut = r#"[{"type":"thinking","thinking":"a","signature":"s"},{"type":"text","text":"b"},{"type":"text","text":" \n"},{"type":"redacted_thinking","data":"c"}]"#;
        let thought = r#"[{"type":"thinking","thinking":"a","signature":"s"}]"#;
        let history = [
            message("assistant", HI),
            message("user", HI),
            message("assistant", cut),
            message("user", HI),
            message("assistant", thought),
            message("assistant", "[]"),
            message("user", HI),
            message("assistant", HI),
        ];
        let body: serde_json::Value = serde_json::from_str(&body(&history)).unwrap();
        let messages = body["messages"].as_array().unwrap();
        let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "user", "user"]);
        let kinds: Vec<_> = messages[1]["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
        assert_eq!(kinds, ["thinking", "text"]);
    }

    #[test]
    fn what_is_no_content_is_told() {
        let history = [message("user", "oops")];
        let prompt = Prompt { model: "m", max_tokens: 5, system: None, history: &history };
        assert!(prompt_body(&prompt).is_err());
    }
}
