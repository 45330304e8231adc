//! What a client may post to the chat route: the AI SDK's body, or a plain one.
//!
//! Sources: `ai` 5.0, 6.0.326 and 7.0.173, `DefaultChatTransport` and `AbstractChat` (November 2026).

use super::content;
use super::json::{Node, Object, refuse};
use super::ui_message::UiMessage;
use crate::Error;

/// Most messages that a client may send along.
const MESSAGES: usize = 5_000;
/// Longest text of one part, and of `system`. The route's own cap on bodies is tighter where the platform's is.
const TEXT_BYTES: usize = 4 << 20;
/// No model gives more output tokens than this; plans and models set the limits that bite.
const MAX_TOKENS: u64 = 1_000_000;

/// What the client asks for, whichever body it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatBody {
    /// The conversation: 1 to 200 characters, none a control character. Absent: a new one.
    pub conversation_id: Option<String>,
    /// What to answer.
    pub turn: Turn,
    /// The client's earlier messages, oldest first. The client's word only: used where the conversation is new,
    /// ignored where it is stored.
    pub seed: Vec<Seed>,
    /// The model asked for, unchecked.
    pub model: Option<String>,
    /// Most output tokens, 1 or more; not yet compared with the plan's.
    pub max_tokens: Option<u64>,
    /// The system prompt.
    pub system: Option<String>,
}

/// What to answer. Content is stored content: a JSON array of content blocks.
///
/// A message has two ids: the one the store gave it, which an AI SDK client takes over for assistant messages, and the
/// one the client gave it. A `client_id` here may be either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Append this user message.
    Submit {
        /// The client's id of it.
        client_id: Option<String>,
        /// Its content.
        content: String,
    },
    /// Replace this user message, and with it all that followed. Where no message has the id, append it: the client
    /// sends a message again that never arrived.
    Edit {
        /// The id of the message that is replaced.
        client_id: String,
        /// The new content.
        content: String,
    },
    /// Answer again. An assistant's id: that answer and all that followed are superseded. A user's id: all that
    /// followed it. No id: the last answer.
    Regenerate {
        /// The message's id.
        client_id: Option<String>,
    },
}

/// One earlier message of the client's own history: its text only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The client's id of it.
    pub client_id: Option<String>,
    /// Who is said to have said it.
    pub role: Role,
    /// Stored content: one text block.
    pub content: String,
}

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The caller.
    User,
    /// Claude.
    Assistant,
}

impl Role {
    /// As stored, and as the Messages API has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl ChatBody {
    /// Reads a body: `{"message": "…", "conversation_id"?, "model"?, "max_tokens"?, "system"?}`, or the AI SDK's
    /// `{"id", "messages": […], "trigger"?, "messageId"?}` (or one `"message": {…}` instead of `messages`, as its
    /// guides on storing messages have it) with the same optional members.
    ///
    /// # Errors
    /// [`InvalidJson`](crate::Code::InvalidJson) where it is not JSON; [`InvalidBody`](crate::Code::InvalidBody) with
    /// a `pointer` where it does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = Node::document(bytes)?.object()?;
        let message = body.get("message")?;
        let from_sdk = body.get("messages")?.is_some() || body.get("trigger")?.is_some();
        match message {
            Some(message) if !message.is_object() && !from_sdk => plain(&body, &message),
            None if !from_sdk => Err(body.only(PLAIN).err().unwrap_or_else(|| {
                refuse("/message", "Say something: \"message\" is a string, or \"messages\" as the AI SDK sends them.")
            })),
            message => ai_sdk(&body, message),
        }
    }
}

/// Members of the plain body. Nothing else is let through, so that a typo is not an option that silently stays off.
const PLAIN: &[&str] = &["message", "conversation_id", "model", "max_tokens", "system"];

fn plain(body: &Object<'_>, message: &Node<'_>) -> Result<ChatBody, Error> {
    body.only(PLAIN)?;
    let text = message.text(TEXT_BYTES)?;
    if text.trim().is_empty() {
        return Err(message.refuse("The message is empty."));
    }
    Ok(ChatBody {
        conversation_id: name(body, "conversation_id")?,
        turn: Turn::Submit { client_id: None, content: content::of_text(&text) },
        seed: Vec::new(),
        model: name(body, "model")?,
        max_tokens: max_tokens(body)?,
        system: system(body)?,
    })
}

fn name(body: &Object<'_>, member: &str) -> Result<Option<String>, Error> {
    body.get(member)?.map(|node| node.name()).transpose()
}

fn max_tokens(body: &Object<'_>) -> Result<Option<u64>, Error> {
    body.get("max_tokens")?.map(|node| node.count(MAX_TOKENS)).transpose()
}

fn system(body: &Object<'_>) -> Result<Option<String>, Error> {
    let text = body.get("system")?.map(|node| node.text(TEXT_BYTES)).transpose()?;
    Ok(text.filter(|text| !text.trim().is_empty()).map(std::borrow::Cow::into_owned))
}

fn ai_sdk(body: &Object<'_>, message: Option<Node<'_>>) -> Result<ChatBody, Error> {
    let messages = read_messages(body, message)?;
    let message_id = name(body, "messageId")?;
    let trigger = body.get("trigger")?;
    let (turn, seeds) = match trigger.as_ref().map(|node| node.text(200)).transpose()?.as_deref() {
        None | Some("submit-message") => submit(body, &messages, message_id)?,
        Some("regenerate-message") => regenerate(&messages, message_id),
        Some(_) => return Err(refuse("/trigger", "trigger must be submit-message or regenerate-message.")),
    };
    let (seed, instructions) = read_seed(seeds)?;
    Ok(ChatBody {
        conversation_id: name(body, "id")?,
        turn,
        seed,
        model: name(body, "model")?,
        max_tokens: max_tokens(body)?,
        system: [system(body)?, instructions].into_iter().flatten().reduce(|first, then| format!("{first}\n\n{then}")),
    })
}

fn read_messages<'a>(body: &Object<'a>, message: Option<Node<'a>>) -> Result<Vec<UiMessage<'a>>, Error> {
    let nodes = match (body.get("messages")?, message) {
        (Some(_), Some(message)) => return Err(message.refuse("Send either message or messages.")),
        (Some(messages), None) => messages.array(MESSAGES)?,
        (None, Some(message)) => vec![message],
        (None, None) => Vec::new(),
    };
    nodes.iter().map(UiMessage::read).collect()
}

/// `submit-message`: the last message is new; with a `messageId`, that message is sent again or edited.
fn submit<'m, 'a>(
    body: &Object<'_>,
    messages: &'m [UiMessage<'a>],
    message_id: Option<String>,
) -> Result<(Turn, &'m [UiMessage<'a>]), Error> {
    let position = match &message_id {
        None => messages.len().checked_sub(1),
        Some(id) => messages.iter().rposition(|message| message.client_id.as_ref() == Some(id)),
    };
    let Some((position, message)) = position.and_then(|at| Some((at, messages.get(at)?))) else {
        let at = if message_id.is_some() { "messageId" } else { "messages" };
        let detail = if message_id.is_some() { "No message has this id." } else { "There is no message to answer." };
        return Err(refuse(body.pointer_to(at), detail));
    };
    if message.role != Some(Role::User) {
        return Err(message.refuse_role("The message to answer must be the user's."));
    }
    let content = content::of_text(&message.turn_text(TEXT_BYTES)?);
    let turn = match message_id {
        Some(client_id) => Turn::Edit { client_id, content },
        None => Turn::Submit { client_id: message.client_id.clone(), content },
    };
    Ok((turn, messages.get(..position).unwrap_or_default()))
}

/// `regenerate-message`: the client has already cut its history behind what is to be answered; a client that sends
/// its own selection of messages may not have.
fn regenerate<'m, 'a>(messages: &'m [UiMessage<'a>], message_id: Option<String>) -> (Turn, &'m [UiMessage<'a>]) {
    let position = messages.iter().rposition(|message| message_id.is_some() && message.client_id == message_id);
    let end = match position {
        Some(at) if messages.get(at).is_some_and(|message| message.role == Some(Role::User)) => at + 1,
        Some(at) => at,
        None => messages.iter().rposition(|message| message.role == Some(Role::User)).map_or(0, |last| last + 1),
    };
    (Turn::Regenerate { client_id: message_id }, messages.get(..end).unwrap_or_default())
}

/// What is said before the turn, and the system messages in it.
fn read_seed(messages: &[UiMessage<'_>]) -> Result<(Vec<Seed>, Option<String>), Error> {
    let mut seed = Vec::with_capacity(messages.len());
    let mut instructions = Vec::new();
    for message in messages {
        let text = message.past_text(TEXT_BYTES)?;
        match message.role {
            _ if text.is_empty() => {}
            Some(role) => {
                seed.push(Seed { client_id: message.client_id.clone(), role, content: content::of_text(&text) });
            }
            None => instructions.push(text),
        }
    }
    Ok((seed, (!instructions.is_empty()).then(|| instructions.join("\n\n"))))
}

#[cfg(test)]
mod tests;
