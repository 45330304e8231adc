//! Reads one `UIMessage` of the AI SDK (`ai` 5 to 7). All of it is the client's word and so untrusted.

use super::body::Role;
use super::json::{Node, Object};
use crate::Error;

/// Most parts of one message.
const PARTS: usize = 2_000;

/// A message whose parts are not read yet.
pub(super) struct UiMessage<'a> {
    pub(super) client_id: Option<String>,
    /// `None`: a system message.
    pub(super) role: Option<Role>,
    object: Object<'a>,
}

/// What becomes of a file part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    /// Nothing would be done with it, and the user should know now.
    Refuse,
    /// Earlier in the history: the message stays readable, and says that there was a file.
    Mention,
    /// An assistant's or a system's: not the user's to lose.
    Ignore,
}

impl<'a> UiMessage<'a> {
    pub(super) fn read(node: &Node<'a>) -> Result<Self, Error> {
        let object = node.object()?;
        let role = object.require("role")?;
        let role = match role.text(200)?.as_ref() {
            "user" => Some(Role::User),
            "assistant" => Some(Role::Assistant),
            "system" => None,
            _ => return Err(role.refuse("A message's role must be user, assistant or system.")),
        };
        let client_id = object.get("id")?.map(|id| id.name()).transpose()?;
        Ok(Self { client_id, role, object })
    }

    /// The text of a message that is to be answered: blank text and files are refused.
    pub(super) fn turn_text(&self, most_bytes: usize) -> Result<String, Error> {
        let text = self.text(Files::Refuse, most_bytes)?;
        if text.is_empty() {
            return Err(super::json::refuse(self.object.pointer_to("parts"), "The message is empty."));
        }
        Ok(text)
    }

    /// The text of a message that only gives context. Reasoning, tools and unknown parts are left out.
    pub(super) fn past_text(&self, most_bytes: usize) -> Result<String, Error> {
        let files = if self.role == Some(Role::User) { Files::Mention } else { Files::Ignore };
        self.text(files, most_bytes)
    }

    /// An error that points at the role.
    pub(super) fn refuse_role(&self, detail: &str) -> Error {
        super::json::refuse(self.object.pointer_to("role"), detail)
    }

    fn text(&self, files: Files, most_bytes: usize) -> Result<String, Error> {
        let mut texts = String::new();
        for part in self.object.require("parts")?.array(PARTS)? {
            let object = part.object()?;
            match object.require("type")?.text(200)?.as_ref() {
                "text" => append(&mut texts, &object.require("text")?.text(most_bytes)?),
                "file" if files == Files::Refuse => {
                    return Err(part.refuse("Files are not supported yet. Send the message without the file."));
                }
                "file" if files == Files::Mention => append(&mut texts, &mention(&object)?),
                _ => {}
            }
        }
        Ok(texts)
    }
}

/// Blank pieces add nothing: Claude refuses blank text.
fn append(texts: &mut String, text: &str) {
    if text.trim().is_empty() {
        return;
    }
    if !texts.is_empty() {
        texts.push_str("\n\n");
    }
    texts.push_str(text);
}

fn mention(file: &Object<'_>) -> Result<String, Error> {
    let name = file.get("filename")?.map(|name| name.name()).transpose()?;
    Ok(name
        .map_or_else(|| "[A file that was not read]".to_owned(), |name| format!("[A file that was not read: {name}]")))
}
