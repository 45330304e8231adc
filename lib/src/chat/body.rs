//! The body of `POST /api/chat`: the AI SDK's, or a plain one.

use serde_json::{Value, json};

use super::{
    ChatOptions, file,
    json::{Node, Object, refuse},
    title, tool_results,
    ui_message::UiMessage,
};
use crate::Error;

/// Earlier messages that are taken over from a client's own history, at most: the newest.
const SEED_MAX: usize = 40;
/// What the plain body may hold besides the options: a mistyped name is told, not ignored.
const PLAIN_FIELDS: [&str; 3] = ["message", "tool_results", "conversation_id"];

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatBody {
    /// The conversation; `None` makes a new one.
    pub conversation_id: Option<String>,
    /// What is done to it.
    pub turn: ChatTurnBody,
    /// The client's earlier messages: untrusted, and used only where the conversation is new.
    pub seed: Vec<ChatMessage>,
    /// How the call is to be made.
    pub options: ChatOptions,
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
    /// The results of the tools that the last answer calls.
    Results {
        /// The answer, by our id; the last one if none is named.
        answer: Option<String>,
        /// The results.
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

impl ChatMessage {
    /// Most prompt tokens of the message; `None` where only Claude can tell, as for a PDF.
    pub fn tokens_bound(&self) -> Option<u64> {
        file::tokens_bound(&self.content)
    }

    /// Whether its bytes say nothing of its tokens.
    pub fn has_files(&self) -> bool {
        file::has_files(&self.content)
    }
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
        body.only(&[&PLAIN_FIELDS[..], &ChatOptions::FIELDS].concat())?;
        let turn = match body.get("tool_results")? {
            Some(list) if body.get("message")?.is_some() => {
                return Err(list.refuse("Send either `message` or `tool_results`."));
            }
            Some(list) => results(None, tool_results::of_list(&list)?),
            None => {
                let text = body.require("message")?.words()?;
                let content = vec![json!({ "type": "text", "text": text })];
                ChatTurnBody::Submit(ChatMessage { client_id: None, role: "user", content })
            }
        };
        let conversation_id = optional_id(body, "conversation_id")?;
        Ok(Self { conversation_id, turn, seed: Vec::new(), options: ChatOptions::read(body)? })
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
        let mut all = Self { conversation_id, turn, seed: seed(earlier)?, options: ChatOptions::read(body)? };
        all.add_instructions(&messages)?;
        Ok(all)
    }

    /// System messages are instructions, which are not stored: they come with every request.
    fn add_instructions(&mut self, messages: &[UiMessage<'_>]) -> Result<(), Error> {
        for message in messages.iter().filter(|message| message.role == "system") {
            for block in message.past()?.into_iter().flat_map(|message| message.content) {
                let text = block["text"].as_str().unwrap_or_default();
                self.options.system = Some(match self.options.system.take() {
                    Some(system) => format!("{system}\n\n{text}"),
                    None => text.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The message that the turn brings.
    pub fn message(&self) -> Option<&ChatMessage> {
        match &self.turn {
            ChatTurnBody::Submit(message)
            | ChatTurnBody::Edit { message, .. }
            | ChatTurnBody::Results { message, .. } => Some(message),
            ChatTurnBody::Regenerate { .. } => None,
        }
    }

    /// The title of a conversation that begins with this body.
    pub fn title(&self) -> String {
        let message = match &self.turn {
            ChatTurnBody::Submit(message) | ChatTurnBody::Edit { message, .. } => self.seed.first().unwrap_or(message),
            ChatTurnBody::Results { .. } | ChatTurnBody::Regenerate { .. } => return String::new(),
        };
        title::of_text(message.content.iter().find_map(|block| block["text"].as_str()).unwrap_or_default())
    }
}

/// The same results sent again are the same message: tool calls have ids of their own.
fn results(answer: Option<String>, content: Vec<Value>) -> ChatTurnBody {
    let first = content.first().and_then(|result| result["tool_use_id"].as_str()).unwrap_or_default();
    let client_id = Some(format!("results-{first}"));
    ChatTurnBody::Results { answer, message: ChatMessage { client_id, role: "user", content } }
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
    let last = messages.get(position).ok_or_else(|| refuse("/messages", "There is no message to answer."))?;
    // An answer comes back with the results of the tools that it calls: `sendAutomaticallyWhen`.
    if last.role == "assistant" {
        return Ok((results(last.id.clone().or(target), last.results()?), &[]));
    }
    let message = last.turn()?;
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
