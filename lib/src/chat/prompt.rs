//! The body of a Messages API request, made of what is stored.
//!
//! Source of the rules: the Messages API, version 2026-10-21 (`@anthropic-ai/sdk` 1.12.0, 2026-11-20).

use serde::Serialize;
use serde_json::value::RawValue;

use super::body::Role;
use super::content::Head;
use crate::ids::CallerId;
use crate::{Code, Error};

/// One stored message.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// Who said it.
    pub role: Role,
    /// Stored content: the JSON array of its content blocks. Passed on as it is, unknown blocks included.
    pub content: &'a str,
}

/// A request to be.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// The model.
    pub model: &'a str,
    /// Most output tokens.
    pub max_tokens: u64,
    /// The system prompt.
    pub system: Option<&'a str>,
    /// The conversation, oldest first, the user's new message last.
    pub history: &'a [Past<'a>],
    /// Answer as an event stream.
    pub stream: bool,
    /// Opaque, see [`opaque_user_id`].
    pub user_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<&'a RawValue>,
}

impl Prompt<'_> {
    /// The body of the request.
    ///
    /// A stored history can hold what Claude gave and would not take back, above all when an answer was cut off. So
    /// blank text, thinking without its signature, thinking at the end of a message, and messages that are then empty
    /// are left out; so are answers before the first question and after the last one (models from 4.6 on refuse a
    /// started answer). Turns of the same role may follow each other: the API joins them.
    ///
    /// # Errors
    /// [`Code::InvalidBody`] where no message of the user's is left to answer; [`Code::Internal`] where the store holds
    /// what is no content.
    pub fn to_body(&self) -> Result<Vec<u8>, Error> {
        let mut messages = Vec::with_capacity(self.history.len());
        for past in self.history {
            let content = acceptable(past)?;
            let leads = messages.is_empty() && past.role == Role::Assistant;
            if !content.is_empty() && !leads {
                messages.push(Message { role: past.role.as_str(), content });
            }
        }
        while messages.last().is_some_and(|message| message.role == Role::Assistant.as_str()) {
            messages.pop();
        }
        if messages.is_empty() {
            return Err(Error::new(Code::InvalidBody, "There is no message of yours to answer.").pointer(""));
        }
        let body = Body {
            model: self.model,
            max_tokens: self.max_tokens,
            system: self.system.filter(|system| !system.trim().is_empty()),
            messages,
            stream: self.stream,
            metadata: self.user_id.map(|user_id| Metadata { user_id }),
        };
        serde_json::to_vec(&body).map_err(Error::internal)
    }
}

/// The blocks of a message that Claude takes.
fn acceptable<'a>(past: &Past<'a>) -> Result<Vec<&'a RawValue>, Error> {
    let blocks: Vec<&RawValue> = serde_json::from_str(past.content).map_err(not_content)?;
    let mut kept = Vec::with_capacity(blocks.len());
    let mut until_last_word = 0;
    for block in blocks {
        let head: Head<'_> = serde_json::from_str(block.get()).map_err(not_content)?;
        let thinks = matches!(head.kind.as_ref(), "thinking" | "redacted_thinking");
        let unsigned = head.kind == "thinking" && head.signature.is_none_or(|signature| signature.get() == "\"\"");
        let blank = head.text().is_some_and(|text| text.trim().is_empty());
        if unsigned || blank {
            continue;
        }
        kept.push(block);
        if !thinks {
            until_last_word = kept.len();
        }
    }
    kept.truncate(until_last_word);
    Ok(kept)
}

/// The parser's own text would quote no content, only a position.
fn not_content(fault: serde_json::Error) -> Error {
    Error::internal(format!("stored content is not an array of content blocks: {fault}"))
}

/// What Claude may know of a caller: the same for every call, and nothing that tells who it is (the API asks for no
/// names and no e-mail addresses). Keyed, because a bare hash of a guessable name can be guessed.
pub fn opaque_user_id(caller: &CallerId, secret: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = ring::hmac::sign(&key, format!("claude-user-id:{caller}").as_bytes());
    tag.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const USER: Role = Role::User;
    const CLAUDE: Role = Role::Assistant;

    fn body(history: &[(Role, &str)]) -> Result<Value, Error> {
        let history: Vec<_> = history.iter().map(|(role, content)| Past { role: *role, content }).collect();
        let system = Some("Be brief.");
        let prompt = Prompt { model: "m", max_tokens: 9, system, history: &history, stream: true, user_id: Some("u") };
        prompt.to_body().map(|bytes| serde_json::from_slice(&bytes).unwrap())
    }

    fn messages(history: &[(Role, &str)]) -> Vec<(String, Value)> {
        let body = body(history).unwrap();
        let messages = body["messages"].as_array().unwrap().iter();
        messages.map(|message| (message["role"].as_str().unwrap().to_owned(), message["content"].clone())).collect()
    }

    const HI: &str = r#"[{"type":"text","text":"Hi"}]"#;
    const HELLO: &str = r#"[{"type":"text","text":"Hello"}]"#;

    #[test]
    fn a_request_has_all_its_members() {
        let expected = json!({"model": "m", "max_tokens": 9, "system": "Be brief.", "stream": true,
            "metadata": {"user_id": "u"}, "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]});
        assert_eq!(body(&[(USER, HI)]).unwrap(), expected);
    }

    #[test]
    fn stored_blocks_pass_unharmed() {
        let odd = r#"[{"type":"novel","n":1.0e400,"s":"\ud800\/"},{"text":"b","type":"text","citations":[{"x":1}]}]"#;
        let past =
            [Past { role: USER, content: HI }, Past { role: CLAUDE, content: odd }, Past { role: USER, content: HI }];
        let prompt = Prompt { model: "m", max_tokens: 9, system: None, history: &past, stream: false, user_id: None };
        let bytes = String::from_utf8(prompt.to_body().unwrap()).unwrap();
        assert!(bytes.contains(odd), "{bytes}");
    }

    #[test]
    fn a_request_starts_and_ends_with_the_user() {
        let roles = messages(&[(CLAUDE, HELLO), (USER, HI), (CLAUDE, HELLO), (USER, HI), (USER, HI), (CLAUDE, HELLO)]);
        assert_eq!(
            roles.iter().map(|(role, _)| role.as_str()).collect::<Vec<_>>(),
            ["user", "assistant", "user", "user"]
        );
    }

    #[test]
    fn an_answer_that_was_cut_off_is_repaired() {
        let cut = r#"[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"So"},
            {"type":"thinking","thinking":"and the","signature":""},{"type":"thinking","thinking":"x"},{"type":"text","text":" \n"}]"#;
        let thought =
            r#"[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"x"}]"#;
        let messages = messages(&[(USER, HI), (CLAUDE, cut), (USER, HI), (CLAUDE, thought), (USER, "[]"), (USER, HI)]);
        assert_eq!(messages.len(), 4);
        let kinds: Vec<_> = messages[1].1.as_array().unwrap().iter().map(|block| &block["type"]).collect();
        assert_eq!(kinds, ["thinking", "text"]);
    }

    #[test]
    fn nothing_to_answer_is_refused() {
        assert_eq!(body(&[]).unwrap_err().code(), Code::InvalidBody);
        assert_eq!(body(&[(CLAUDE, HELLO)]).unwrap_err().code(), Code::InvalidBody);
        assert_eq!(body(&[(USER, "oops")]).unwrap_err().code(), Code::Internal);
    }

    #[test]
    fn a_user_id_is_stable_and_tells_nothing() {
        let ada = CallerId("user:ada@example.com".into());
        let id = opaque_user_id(&ada, b"secret");
        assert_eq!(id, opaque_user_id(&ada, b"secret"));
        assert_eq!((id.len(), id.contains("ada")), (32, false));
        assert_ne!(id, opaque_user_id(&ada, b"another"));
        assert_ne!(id, opaque_user_id(&CallerId("user:bob".into()), b"secret"));
    }
}
