//! One `UIMessage` of the AI SDK. All of it is the client's word, assistant's turns included.

use serde_json::{Value, json};

use super::body::ChatMessage;
use super::{
    file,
    json::{Node, Object, refuse},
    tool_results,
};
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
    /// Claude reads it.
    Take,
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

    /// The message that is to be answered: another's and a blank one are refused.
    pub(super) fn turn(&self) -> Result<ChatMessage, Error> {
        if self.role != "user" {
            return Err(refuse(self.object.pointer_to("role"), "The message to answer must be the user's."));
        }
        let content = self.content(Files::Take)?;
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

    /// The results of the tools that this answer calls.
    pub(super) fn results(&self) -> Result<Vec<Value>, Error> {
        let results = tool_results::of_parts(&self.object.require("parts")?.array()?)?;
        if results.is_empty() {
            let detail = "The message to answer must be the user's, or hold the results of the tools it calls.";
            return Err(refuse(self.object.pointer_to("role"), detail));
        }
        Ok(results)
    }

    fn content(&self, files: Files) -> Result<Vec<Value>, Error> {
        let mut content = Vec::new();
        for part in self.object.require("parts")?.array()? {
            let object = part.object()?;
            let text = match (object.require("type")?.text()?.as_ref(), files) {
                ("text", _) => object.require("text")?.text()?.into_owned(),
                ("file", Files::Take) => {
                    content.push(file::block(&part, &object)?);
                    continue;
                }
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
