//! The body of `POST /api/chat`: the AI SDK's, or a plain one.

use serde_json::{Map, Value, json};

use crate::{Code, Error};

/// The longest conversation or message id that a client may choose.
const ID_MAX_BYTES: usize = 200;
/// Earlier messages that are taken over from a client's own history, at most: the newest.
const SEED_MAX: usize = 40;
/// Output tokens beyond this are a mistake, whatever the model.
const MAX_TOKENS_BOUND: u64 = 10_000_000;
/// What the plain body may hold: a mistyped name is told, not ignored.
const PLAIN_FIELDS: [&str; 5] = ["message", "conversation_id", "model", "max_tokens", "system"];

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatBody {
    /// The conversation; `None` makes a new one.
    pub conversation_id: Option<String>,
    /// What is done to it.
    pub turn: ChatTurnBody,
    /// The client's earlier messages: untrusted, and used only where the conversation is new.
    pub seed: Vec<ChatMessage>,
    /// The model; `None` is the plan's own.
    pub model: Option<String>,
    /// Most output tokens; `None` is the plan's own.
    pub max_tokens: Option<u64>,
    /// The system text of this call.
    pub system: Option<String>,
}

/// What is done to the conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatTurnBody {
    /// A message is appended.
    Submit(ChatMessage),
    /// A message, and all behind it, is replaced.
    Edit {
        /// The message that is replaced.
        target: String,
        /// The message in its place.
        message: ChatMessage,
    },
    /// An answer is made again; the last one if none is named.
    Regenerate {
        /// The answer, or the message that it answers.
        target: Option<String>,
    },
}

/// A message of the client.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatMessage {
    /// The client's id.
    pub client_id: Option<String>,
    /// `user` or `assistant`.
    pub role: &'static str,
    /// Content blocks of Claude's API.
    pub content: Vec<Value>,
}

impl ChatBody {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_json` with the place, or `invalid_body` with a pointer (RFC 6901).
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = match serde_json::from_slice(bytes) {
            Ok(Value::Object(body)) => body,
            Ok(_) => return Err(misfit("", "The body must be a JSON object.")),
            Err(error) => {
                let at = format!("line {}, column {}", error.line(), error.column());
                return Err(Error::new(Code::InvalidJson, format!("The body is not JSON in UTF-8: see {at}.")));
            }
        };
        if body.contains_key("messages") { Self::from_ai_sdk(&body) } else { Self::from_plain(&body) }
    }

    fn from_plain(body: &Map<String, Value>) -> Result<Self, Error> {
        if let Some(unknown) = body.keys().find(|name| !PLAIN_FIELDS.contains(&name.as_str())) {
            let known = PLAIN_FIELDS.join(", ");
            let pointer = format!("/{}", unknown.replace('~', "~0").replace('/', "~1"));
            return Err(misfit(&pointer, &format!("This field is not known. The body takes {known}.")));
        }
        let message = match body.get("message") {
            Some(Value::String(text)) if !text.trim().is_empty() => user_text(text, None),
            Some(Value::String(_)) => return Err(misfit("/message", "The message is empty.")),
            Some(_) => return Err(misfit("/message", "`message` must be a text.")),
            None => return Err(misfit("/message", "`message` is missing.")),
        };
        let conversation_id = optional_id(body, "conversation_id")?;
        Self::with_options(body, conversation_id, ChatTurnBody::Submit(message), Vec::new())
    }

    fn from_ai_sdk(body: &Map<String, Value>) -> Result<Self, Error> {
        let Some(Value::Array(messages)) = body.get("messages") else {
            return Err(misfit("/messages", "`messages` must be a list."));
        };
        let conversation_id = optional_id(body, "id")?;
        let target = optional_id(body, "messageId")?;
        let trigger = match body.get("trigger") {
            None | Some(Value::Null) => "submit-message",
            Some(Value::String(trigger)) => trigger,
            Some(_) => return Err(misfit("/trigger", "`trigger` must be a text.")),
        };
        let (turn, seed) = match trigger {
            "submit-message" => {
                let Some((last, earlier)) = messages.split_last() else {
                    return Err(misfit("/messages", "`messages` must not be empty."));
                };
                let at = format!("/messages/{}", earlier.len());
                if last.get("role").and_then(Value::as_str) != Some("user") {
                    return Err(misfit(&format!("{at}/role"), "The last message must be the user's."));
                }
                let message = user_message(last, &at)?;
                let turn = match target {
                    Some(target) => ChatTurnBody::Edit { target, message },
                    None => ChatTurnBody::Submit(message),
                };
                (turn, seed(earlier))
            }
            "regenerate-message" => (ChatTurnBody::Regenerate { target }, Vec::new()),
            _ => return Err(misfit("/trigger", "`trigger` must be submit-message or regenerate-message.")),
        };
        Self::with_options(body, conversation_id, turn, seed)
    }

    fn with_options(
        body: &Map<String, Value>,
        conversation_id: Option<String>,
        turn: ChatTurnBody,
        seed: Vec<ChatMessage>,
    ) -> Result<Self, Error> {
        let max_tokens = match body.get("max_tokens") {
            None | Some(Value::Null) => None,
            Some(value) => {
                Some(value.as_u64().filter(|tokens| (1..=MAX_TOKENS_BOUND).contains(tokens)).ok_or_else(|| {
                    misfit(
                        "/max_tokens",
                        "`max_tokens` must be a whole number, one or more, within what models can do.",
                    )
                })?)
            }
        };
        let text = |name: &str| match body.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(misfit(&format!("/{name}"), &format!("`{name}` must be a text that is not empty."))),
        };
        Ok(Self { conversation_id, turn, seed, model: text("model")?, max_tokens, system: text("system")? })
    }

    /// How long the turn's message is, as it is stored and sent: a bound of its tokens.
    pub fn message_bytes(&self) -> u64 {
        match &self.turn {
            ChatTurnBody::Submit(message) | ChatTurnBody::Edit { message, .. } => {
                message.content.iter().map(|block| block.to_string().len() as u64 + 1).sum::<u64>() + 1
            }
            ChatTurnBody::Regenerate { .. } => 0,
        }
    }

    /// The title of a conversation that begins with this body.
    pub fn title(&self) -> String {
        let message = match &self.turn {
            ChatTurnBody::Submit(message) | ChatTurnBody::Edit { message, .. } => self.seed.first().unwrap_or(message),
            ChatTurnBody::Regenerate { .. } => return String::new(),
        };
        let text =
            message.content.iter().find_map(|block| block.get("text").and_then(Value::as_str)).unwrap_or_default();
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        line.chars().take(80).collect()
    }
}

/// The user's message of the turn: every part that is the user's own counts, or is refused by name.
fn user_message(message: &Value, at: &str) -> Result<ChatMessage, Error> {
    let client_id = match message.get("id") {
        None | Some(Value::Null) => None,
        Some(id) => Some(id_text(id, &format!("{at}/id"))?),
    };
    let Some(Value::Array(parts)) = message.get("parts") else {
        return Err(misfit(&format!("{at}/parts"), "`parts` must be a list."));
    };
    let mut content = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        match part.get("type").and_then(Value::as_str) {
            Some("text") => match part.get("text") {
                Some(Value::String(text)) if text.trim().is_empty() => {}
                Some(Value::String(text)) => content.push(json!({ "type": "text", "text": text })),
                _ => return Err(misfit(&format!("{at}/parts/{index}/text"), "`text` must be a text.")),
            },
            Some("file") => {
                return Err(misfit(&format!("{at}/parts/{index}"), "Files are not taken yet; nothing was sent."));
            }
            Some(_) => {}
            None => return Err(misfit(&format!("{at}/parts/{index}/type"), "`type` is missing.")),
        }
    }
    if content.is_empty() {
        return Err(misfit(&format!("{at}/parts"), "The message is empty."));
    }
    Ok(ChatMessage { client_id, role: "user", content })
}

/// The client's history as far as it is text of user and assistant; the rest is not ours to believe.
fn seed(messages: &[Value]) -> Vec<ChatMessage> {
    let newest = messages.get(messages.len().saturating_sub(SEED_MAX)..).unwrap_or_default();
    let mut seed: Vec<_> = newest.iter().filter_map(seed_message).collect();
    // Claude's conversations begin with the user.
    let first_user = seed.iter().position(|message| message.role == "user").unwrap_or(seed.len());
    seed.drain(..first_user);
    seed
}

fn seed_message(message: &Value) -> Option<ChatMessage> {
    let role = match message.get("role")?.as_str()? {
        "user" => "user",
        "assistant" => "assistant",
        _ => return None,
    };
    let text = |part: &Value| {
        let text = part.get("text")?.as_str()?;
        let is_text = part.get("type")?.as_str()? == "text" && !text.trim().is_empty();
        is_text.then(|| json!({ "type": "text", "text": text }))
    };
    let content: Vec<_> = message.get("parts")?.as_array()?.iter().filter_map(text).collect();
    let client_id = message.get("id").and_then(|id| id_text(id, "").ok());
    (!content.is_empty()).then_some(ChatMessage { client_id, role, content })
}

fn user_text(text: &str, client_id: Option<String>) -> ChatMessage {
    ChatMessage { client_id, role: "user", content: vec![json!({ "type": "text", "text": text })] }
}

fn optional_id(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Error> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => id_text(value, &format!("/{name}")).map(Some),
    }
}

fn id_text(value: &Value, pointer: &str) -> Result<String, Error> {
    let text = value.as_str().filter(|text| (1..=ID_MAX_BYTES).contains(&text.len()));
    text.filter(|text| !text.chars().any(char::is_control)).map(str::to_owned).ok_or_else(|| {
        misfit(pointer, &format!("An id must be a text of 1 to {ID_MAX_BYTES} bytes without control characters."))
    })
}

fn misfit(pointer: &str, sentence: &str) -> Error {
    Error::new(Code::InvalidBody, sentence).pointer(pointer)
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
