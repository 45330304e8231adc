//! The body of `POST /api/chat`: the AI SDK's, or a plain one.

use serde_json::{Value, json};

use super::{
    json::{Node, Object, refuse},
    title,
    ui_message::UiMessage,
};
use crate::Error;

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
        /// The message that is replaced: the client's id or ours.
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
    /// Reads a body: the AI SDK's (`id`, `messages`, `trigger`?, `messageId`?), also with one `message` in place of
    /// `messages` as its guides on storing messages have it, or the plain one.
    ///
    /// # Errors
    /// `invalid_json` with the place, or `invalid_body` with a pointer (RFC 6901).
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = Node::document(bytes)?.object()?;
        let is_sdk = body.get("messages")?.is_some()
            || body.get("trigger")?.is_some()
            || body.get("message")?.is_some_and(|message| message.is_object());
        if is_sdk { Self::from_ai_sdk(&body) } else { Self::from_plain(&body) }
    }

    fn from_plain(body: &Object<'_>) -> Result<Self, Error> {
        body.only(&PLAIN_FIELDS)?;
        let text = body.require("message")?.words()?;
        let content = vec![json!({ "type": "text", "text": text })];
        let turn = ChatTurnBody::Submit(ChatMessage { client_id: None, role: "user", content });
        Self::with_options(body, optional_id(body, "conversation_id")?, turn, Vec::new())
    }

    fn from_ai_sdk(body: &Object<'_>) -> Result<Self, Error> {
        let target = optional_id(body, "messageId")?;
        let trigger = body.get("trigger")?;
        let turn = match trigger.as_ref().map(Node::text).transpose()?.as_deref() {
            None | Some("submit-message") => None,
            Some("regenerate-message") => Some(ChatTurnBody::Regenerate { target: target.clone() }),
            Some(_) => return Err(refuse("/trigger", "`trigger` must be submit-message or regenerate-message.")),
        };
        let conversation_id = optional_id(body, "id")?;
        let messages = read_messages(body)?;
        // An answer is made again only where the conversation is stored, so no history counts then.
        let (turn, earlier) = match turn {
            None => submit(&messages, target)?,
            Some(turn) => (turn, [].as_slice()),
        };
        let mut all = Self::with_options(body, conversation_id, turn, seed(earlier)?)?;
        all.add_instructions(&messages)?;
        Ok(all)
    }

    fn with_options(
        body: &Object<'_>,
        conversation_id: Option<String>,
        turn: ChatTurnBody,
        seed: Vec<ChatMessage>,
    ) -> Result<Self, Error> {
        let words = |name| body.get(name)?.map(|node| node.words()).transpose();
        Ok(Self {
            conversation_id,
            turn,
            seed,
            model: words("model")?,
            max_tokens: body.get("max_tokens")?.map(|node| node.count(MAX_TOKENS_BOUND)).transpose()?,
            system: words("system")?,
        })
    }

    /// System messages are instructions, which are not stored: they come with every request.
    fn add_instructions(&mut self, messages: &[UiMessage<'_>]) -> Result<(), Error> {
        for message in messages.iter().filter(|message| message.role == "system") {
            for block in message.past()?.into_iter().flat_map(|message| message.content) {
                let text = block["text"].as_str().unwrap_or_default();
                self.system = Some(match self.system.take() {
                    Some(system) => format!("{system}\n\n{text}"),
                    None => text.to_owned(),
                });
            }
        }
        Ok(())
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
        title::of_text(message.content.iter().find_map(|block| block["text"].as_str()).unwrap_or_default())
    }
}

fn read_messages<'a>(body: &Object<'a>) -> Result<Vec<UiMessage<'a>>, Error> {
    let nodes = match (body.get("messages")?, body.get("message")?) {
        (Some(_), Some(message)) => return Err(message.refuse("Send either `message` or `messages`.")),
        (Some(messages), None) => messages.array()?,
        (None, Some(message)) => vec![message],
        (None, None) => Vec::new(),
    };
    nodes.iter().map(UiMessage::read).collect()
}

/// `submit-message`: the last message is new. With a `messageId` it takes that message's place: it is the one with this
/// id, or, where a client sends a new id along, the last one.
fn submit<'m, 'a>(
    messages: &'m [UiMessage<'a>],
    target: Option<String>,
) -> Result<(ChatTurnBody, &'m [UiMessage<'a>]), Error> {
    let named = messages.iter().rposition(|message| target.is_some() && message.id == target);
    let position = named.unwrap_or(messages.len().saturating_sub(1));
    let message =
        messages.get(position).ok_or_else(|| refuse("/messages", "There is no message to answer."))?.turn()?;
    let turn = match target {
        Some(target) => ChatTurnBody::Edit { target, message },
        None => ChatTurnBody::Submit(message),
    };
    Ok((turn, messages.get(..position).unwrap_or_default()))
}

/// The client's history as far as it is text of user and assistant; the rest is not ours to believe.
fn seed(messages: &[UiMessage<'_>]) -> Result<Vec<ChatMessage>, Error> {
    let said: Vec<_> = messages.iter().filter(|message| message.role != "system").collect();
    let newest = said.get(said.len().saturating_sub(SEED_MAX)..).unwrap_or_default();
    // Claude's conversations begin with the user.
    let from_user = newest.iter().skip_while(|message| message.role != "user");
    from_user.filter_map(|message| message.past().transpose()).collect()
}

fn optional_id(body: &Object<'_>, name: &str) -> Result<Option<String>, Error> {
    body.get(name)?.map(|node| node.id()).transpose()
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
