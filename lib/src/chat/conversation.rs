//! Conversations as clients send and see them.

use serde_json::{Value, json};

use super::{
    StoredPart,
    json::{Node, Object},
};
use crate::Error;

const TITLE_MAX_CHARS: usize = 200;

/// The body of `POST /api/conversations`: `{"title"?, "id"?}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConversation {
    /// The id that the client chose.
    pub id: Option<String>,
    /// The title; empty if none was given.
    pub title: String,
}

/// The body of `PATCH /api/conversations/{id}`: `{"title"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The new title.
    pub title: String,
}

impl NewConversation {
    /// Reads a body; an empty one is a conversation without a title.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self { id: None, title: String::new() });
        }
        let body = Node::document(bytes)?.object()?;
        body.only(&["title", "id"])?;
        let id = body.get("id")?.map(|id| id.id()).transpose()?;
        Ok(Self { id, title: title(&body)?.unwrap_or_default() })
    }
}

impl Rename {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = Node::document(bytes)?.object()?;
        body.only(&["title"])?;
        let given = body.require("title")?;
        let title = title(&body)?.filter(|title| !title.is_empty());
        title.map(|title| Self { title }).ok_or_else(|| given.refuse("The title is empty."))
    }
}

/// A conversation in lists and answers.
pub fn conversation_json(id: &str, title: &str, created_ms: i64, updated_ms: i64) -> Value {
    json!({ "id": id, "title": title, "created_ms": created_ms, "updated_ms": updated_ms })
}

/// A message with its text beside its content blocks.
pub fn message_json(message: StoredPart<'_>) -> Value {
    let StoredPart { id, role, content, created_ms, .. } = message;
    let content: Value = serde_json::from_str(content).unwrap_or(Value::Array(Vec::new()));
    let texts = content.as_array().into_iter().flatten().filter(|block| block["type"] == "text");
    let text: String = texts.filter_map(|block| block["text"].as_str()).collect();
    json!({ "id": id, "role": role, "text": text, "content": content, "created_ms": created_ms })
}

fn title(body: &Object<'_>) -> Result<Option<String>, Error> {
    let Some(node) = body.get("title")? else { return Ok(None) };
    let text = node.text()?;
    if text.chars().count() > TITLE_MAX_CHARS || text.chars().any(char::is_control) {
        return Err(node.refuse(format!("A title must be at most {TITLE_MAX_CHARS} characters on one line.")));
    }
    Ok(Some(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_field_is_told_and_an_empty_body_is_fine() {
        assert_eq!(NewConversation::parse(b"").unwrap(), NewConversation { id: None, title: String::new() });
        let error = NewConversation::parse(br#"{"tilte":"x"}"#).unwrap_err();
        assert_eq!(error.members()["pointer"], "/tilte");
        assert!(Rename::parse(br#"{"title":"  "}"#).is_err());
        assert!(Rename::parse(br#"{"title":"a","title":"b"}"#).is_err());
        assert!(Rename::parse(br#"{"title":"a\nb"}"#).is_err());
        assert_eq!(Rename::parse(br#"{"title":" a "}"#).unwrap().title, "a");
    }
}
