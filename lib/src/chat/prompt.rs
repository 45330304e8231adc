//! The Messages request of a conversation.

use serde::Serialize;
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
    content: &'a RawValue,
}

/// The body of a streamed request. Claude wants the user first, so answers at the head of a shortened history are
/// left out, as are messages without content.
///
/// # Errors
/// An internal error where stored content is not JSON.
pub fn prompt_body(prompt: &Prompt<'_>) -> Result<Vec<u8>, Error> {
    let from_user = prompt.history.iter().skip_while(|message| message.role != "user");
    let messages = from_user.filter(|message| message.content.trim() != "[]").map(|message| {
        let content = serde_json::from_str::<&RawValue>(&message.content).map_err(Error::internal)?;
        Ok(Message { role: &message.role, content })
    });
    let body = Body {
        model: prompt.model,
        max_tokens: prompt.max_tokens,
        stream: true,
        system: prompt.system,
        messages: messages.collect::<Result<_, Error>>()?,
    };
    serde_json::to_vec(&body).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_content_goes_out_as_it_is_and_the_user_comes_first() {
        let message = |role: &str, content: &str| PromptMessage { role: role.into(), content: content.into() };
        let history = [
            message("assistant", r#"[{"type":"text","text":"cut off"}]"#),
            message("user", r#"[{"type":"text","text":"Hi"}]"#),
            message("assistant", "[]"),
            message("assistant", r#"[{"type":"tomorrow", "x":1.50}]"#),
        ];
        let body =
            prompt_body(&Prompt { model: "m", max_tokens: 5, system: Some("Be kind."), history: &history }).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"model":"m","max_tokens":5,"stream":true,"system":"Be kind.","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]},{"role":"assistant","content":[{"type":"tomorrow", "x":1.50}]}]}"#
        );
    }
}
