//! One `UIMessage` of the AI SDK. All of it is the client's word, assistant's turns included.

use serde_json::{Value, json};

use super::body::ChatMessage;
use super::json::{Node, Object, refuse};
use crate::Error;

/// A message whose parts are not read yet.
pub(super) struct UiMessage<'a> {
    pub(super) id: Option<String>,
    /// `user`, `assistant` or `system`.
    pub(super) role: &'static str,
    object: Object<'a>,
}

/// What becomes of a file part. None is ever lost in silence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    /// The user should know now that nobody would read it.
    Refuse,
    /// Behind us: the conversation stays usable, and Claude is told that there was a file.
    Mention,
    /// Not the user's.
    Ignore,
}

impl<'a> UiMessage<'a> {
    pub(super) fn read(node: &Node<'a>) -> Result<Self, Error> {
        let object = node.object()?;
        let role = object.require("role")?;
        let role = match role.text()?.as_ref() {
            "user" => "user",
            "assistant" => "assistant",
            "system" => "system",
            _ => return Err(role.refuse("A message's role must be user, assistant or system.")),
        };
        let id = object.get("id")?.map(|id| id.id()).transpose()?;
        Ok(Self { id, role, object })
    }

    /// The message that is to be answered: another's, a blank one and one with a file are refused.
    pub(super) fn turn(&self) -> Result<ChatMessage, Error> {
        if self.role != "user" {
            return Err(refuse(self.object.pointer_to("role"), "The message to answer must be the user's."));
        }
        let content = self.content(Files::Refuse)?;
        if content.is_empty() {
            return Err(refuse(self.object.pointer_to("parts"), "The message is empty."));
        }
        Ok(ChatMessage { client_id: self.id.clone(), role: "user", content })
    }

    /// A message that gives context; `None` where it says nothing. Reasoning, tools and unknown parts are left out.
    pub(super) fn past(&self) -> Result<Option<ChatMessage>, Error> {
        let content = self.content(if self.role == "user" { Files::Mention } else { Files::Ignore })?;
        Ok((!content.is_empty()).then(|| ChatMessage { client_id: self.id.clone(), role: self.role, content }))
    }

    fn content(&self, files: Files) -> Result<Vec<Value>, Error> {
        let mut content = Vec::new();
        for part in self.object.require("parts")?.array()? {
            let object = part.object()?;
            let text = match (object.require("type")?.text()?.as_ref(), files) {
                ("text", _) => object.require("text")?.text()?.into_owned(),
                ("file", Files::Refuse) => return Err(part.refuse("Files are not taken yet; nothing was sent.")),
                ("file", Files::Mention) => mention(&object)?,
                _ => continue,
            };
            // Claude refuses blank text.
            if !text.trim().is_empty() {
                content.push(json!({ "type": "text", "text": text }));
            }
        }
        Ok(content)
    }
}

fn mention(file: &Object<'_>) -> Result<String, Error> {
    let name = file.get("filename")?.map(|name| name.id()).transpose()?;
    Ok(name.map_or_else(|| "[A file, not read]".to_owned(), |name| format!("[A file, not read: {name}]")))
}
