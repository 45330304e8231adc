//! The Messages request of a conversation.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ChatOptions, pairs};
use crate::Error;

/// About so many bytes are a token.
const BYTES_PER_TOKEN: u64 = 4;

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
    /// The caller's options; model and length are decided already.
    pub options: &'a ChatOptions,
    /// Oldest first.
    pub history: &'a [PromptMessage],
    /// The shortest prefix that Claude caches, in tokens; `None` uses no prompt cache.
    pub cacheable_tokens_min: Option<u64>,
}

/// A message of the request.
pub(super) struct Message<'a> {
    pub(super) role: &'a str,
    pub(super) content: Vec<(Block<'a>, Cow<'a, RawValue>)>,
}

/// What is looked at in a block; the rest passes unseen.
#[derive(Default, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tool_use_id: Option<Cow<'a, str>>,
}

impl Block<'_> {
    pub(super) fn of_kind(kind: &'static str) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// The id of a call.
    pub(super) fn id(&self) -> String {
        self.id.clone().unwrap_or_default().into_owned()
    }

    /// The call that a result belongs to.
    pub(super) fn call(&self) -> String {
        self.tool_use_id.clone().unwrap_or_default().into_owned()
    }
}

/// The body of a streamed request.
///
/// Claude gives what it would not take back: it wants the user first and last (models from 4.6 on refuse a started
/// answer), no blank text, no message that ends in a thought, and calls of tools only with their results. Such answers
/// at the ends of a shortened history, such blocks, and messages that are then empty are left out. Turns of the same
/// role may follow each other.
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
    pairs::mend(&mut messages)?;
    let mut out = Vec::with_capacity(messages.iter().map(Message::bytes).sum::<usize>() + 1_024);
    write(prompt, &messages, &mut out).map_err(Error::internal)?;
    Ok(out)
}

impl Message<'_> {
    fn bytes(&self) -> usize {
        self.content.iter().map(|(_, raw)| raw.get().len() + 1).sum::<usize>() + 40
    }
}

/// Written piece by piece, so that stored content is copied once.
///
/// Two marks of the prompt cache: one behind tools and instructions, which conversations share, and the automatic one,
/// which moves with the conversation. A mark on less than Claude caches costs nothing and does nothing, but the other
/// one may; so each is set only where its prefix is long enough. A token has four bytes or so: an estimate is enough
/// here, because the usage tells what was cached.
fn write(prompt: &Prompt<'_>, messages: &[Message<'_>], out: &mut Vec<u8>) -> serde_json::Result<()> {
    let options = prompt.options;
    let is_marked = options.passed.iter().any(|(_, json)| json.contains("\"cache_control\""));
    let pays = |bytes: u64| prompt.cacheable_tokens_min.is_some_and(|min| !is_marked && bytes / BYTES_PER_TOKEN >= min);
    let shared_bytes = options.bytes();
    let all_bytes = shared_bytes + messages.iter().map(|message| message.bytes() as u64).sum::<u64>();
    out.extend_from_slice(b"{\"model\":");
    serde_json::to_writer(&mut *out, prompt.model)?;
    out.extend_from_slice(b",\"max_tokens\":");
    serde_json::to_writer(&mut *out, &prompt.max_tokens)?;
    out.extend_from_slice(b",\"stream\":true");
    if pays(all_bytes) {
        out.extend_from_slice(b",\"cache_control\":{\"type\":\"ephemeral\"}");
    }
    for (name, json) in &options.passed {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(json.as_bytes());
    }
    if let Some(system) = &options.system {
        out.extend_from_slice(b",\"system\":[{\"type\":\"text\",\"text\":");
        serde_json::to_writer(&mut *out, system)?;
        if pays(shared_bytes) {
            out.extend_from_slice(b",\"cache_control\":{\"type\":\"ephemeral\"}");
        }
        out.extend_from_slice(b"}]");
    }
    out.extend_from_slice(b",\"messages\":[");
    for (index, message) in messages.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"role\":" } else { b",{\"role\":" });
        serde_json::to_writer(&mut *out, message.role)?;
        out.extend_from_slice(b",\"content\":[");
        for (index, (_, raw)) in message.content.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(raw.get().as_bytes());
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

/// The blocks that Claude takes, as they are stored.
fn acceptable(content: &str) -> Result<Vec<(Block<'_>, Cow<'_, RawValue>)>, Error> {
    let blocks: Vec<&RawValue> = serde_json::from_str(content).map_err(Error::internal)?;
    let mut kept = Vec::with_capacity(blocks.len());
    let mut behind_last_thought = 0;
    for raw in blocks {
        let block: Block<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
        let is_blank = block.text.as_deref().is_some_and(|text| text.trim().is_empty());
        if block.kind == "text" && is_blank {
            continue;
        }
        let is_thought = matches!(&*block.kind, "thinking" | "redacted_thinking");
        kept.push((block, Cow::Borrowed(raw)));
        if !is_thought {
            behind_last_thought = kept.len();
        }
    }
    kept.truncate(behind_last_thought);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn message(role: &str, content: &str) -> PromptMessage {
        PromptMessage { role: role.into(), content: content.into() }
    }

    fn options() -> ChatOptions {
        ChatOptions { model: None, max_tokens: None, system: Some("Be kind.".into()), cache: true, passed: Vec::new() }
    }

    fn body_with(history: &[PromptMessage], options: &ChatOptions, cacheable_tokens_min: Option<u64>) -> Value {
        let prompt = Prompt { model: "m", max_tokens: 5, options, history, cacheable_tokens_min };
        serde_json::from_slice(&prompt_body(&prompt).unwrap()).unwrap()
    }

    fn body(history: &[PromptMessage]) -> String {
        let prompt = Prompt { model: "m", max_tokens: 5, options: &options(), history, cacheable_tokens_min: None };
        String::from_utf8(prompt_body(&prompt).unwrap()).unwrap()
    }

    const HI: &str = r#"[{"type":"text","text":"Hi"}]"#;

    #[test]
    fn stored_content_goes_out_as_it_is() {
        let tomorrow = r#"[{"type":"tomorrow", "x":1.50,"text":{"y":"\ud800"}}]"#;
        assert_eq!(
            body(&[message("user", HI), message("assistant", tomorrow), message("user", HI)]),
            format!(
                r#"{{"model":"m","max_tokens":5,"stream":true,"system":[{{"type":"text","text":"Be kind."}}],"messages":[{{"role":"user","content":{HI}}},{{"role":"assistant","content":{tomorrow}}},{{"role":"user","content":{HI}}}]}}"#
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
        let prompt =
            Prompt { model: "m", max_tokens: 5, options: &options(), history: &history, cacheable_tokens_min: None };
        assert!(prompt_body(&prompt).is_err());
    }

    #[test]
    fn a_conversation_goes_on_although_its_tools_were_never_answered() {
        let calls = r#"[{"type":"text","text":"a"},{"type":"tool_use","id":"t1","name":"f","input":{}},{"type":"tool_use","id":"t2","name":"f","input":{}}]"#;
        let result = |id: &str| format!(r#"[{{"type":"tool_result","tool_use_id":"{id}","content":"ok"}}]"#);
        let history = [
            message("user", &result("lost")),
            message("user", HI),
            message("assistant", calls),
            message("user", &result("t2")),
            message("assistant", calls),
            message("user", HI),
        ];
        let body: Value = serde_json::from_str(&body(&history)).unwrap();
        let kinds = |at: usize| {
            let blocks = body["messages"][at]["content"].as_array().unwrap().iter();
            blocks
                .map(|b| (b["type"].as_str().unwrap().to_owned(), b["tool_use_id"].as_str().map(str::to_owned)))
                .collect::<Vec<_>>()
        };
        let result = |id: &str| ("tool_result".to_owned(), Some(id.to_owned()));
        assert_eq!(body["messages"].as_array().unwrap().len(), 5, "{body}");
        assert_eq!(kinds(2), [result("t1"), result("t2")]);
        assert_eq!(kinds(4), [result("t1"), result("t2"), ("text".to_owned(), None)]);
        assert_eq!(body["messages"][4]["content"][0]["is_error"], true);
    }

    #[test]
    fn the_cache_is_marked_where_it_can_pay() {
        let long = format!(r#"[{{"type":"text","text":"{}"}}]"#, "x".repeat(4_000));
        let history = [message("user", &long)];
        let short = body_with(&[message("user", HI)], &options(), Some(1_000));
        assert_eq!((short.get("cache_control"), short["system"][0].get("cache_control")), (None, None));
        let marked = body_with(&history, &options(), Some(1_000));
        assert_eq!(
            (&marked["cache_control"]["type"], marked["system"][0].get("cache_control")),
            (&"ephemeral".into(), None)
        );
        assert!(body_with(&history, &options(), None).get("cache_control").is_none());
        let tools = format!(r#"[{{"name":"f","description":"{}"}}]"#, "x".repeat(4_000));
        let shared = ChatOptions { passed: vec![("tools", tools)], ..options() };
        let marked = body_with(&[message("user", HI)], &shared, Some(1_000));
        assert_eq!(marked["system"][0]["cache_control"]["type"], "ephemeral");
        let own = r#"[{"name":"f","cache_control":{"type":"ephemeral"}}]"#.to_owned();
        let own = ChatOptions { passed: vec![("tools", own)], ..options() };
        assert!(body_with(&history, &own, Some(1)).get("cache_control").is_none(), "the caller marks by hand");
    }
}
