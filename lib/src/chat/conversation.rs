//! Conversations as clients send and see them.

use serde_json::{Map, Value, json};

use crate::{Code, Error};

const ID_MAX_BYTES: usize = 200;
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
        let body = if bytes.is_empty() { Map::new() } else { object(bytes)? };
        known_fields(&body, &["title", "id"])?;
        let id = match body.get("id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if is_id(id) => Some(id.clone()),
            Some(_) => return Err(misfit("/id", "An id must be a text of 1 to 200 bytes without control characters.")),
        };
        Ok(Self { id, title: title(&body)?.unwrap_or_default() })
    }
}

impl Rename {
    /// Reads a body.
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_body` with a pointer.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = object(bytes)?;
        known_fields(&body, &["title"])?;
        let title = title(&body)?.filter(|title| !title.is_empty());
        title.map(|title| Self { title }).ok_or_else(|| misfit("/title", "`title` is missing or empty."))
    }
}

/// A conversation in lists and answers.
pub fn conversation_json(id: &str, title: &str, created_ms: i64, updated_ms: i64) -> Value {
    json!({ "id": id, "title": title, "created_ms": created_ms, "updated_ms": updated_ms })
}

/// A message with its text beside its content blocks.
pub fn message_json(id: &str, role: &str, content: &str, created_ms: i64) -> Value {
    let content: Value = serde_json::from_str(content).unwrap_or(Value::Array(Vec::new()));
    let texts = content.as_array().into_iter().flatten().filter(|block| block["type"] == "text");
    let text: String = texts.filter_map(|block| block["text"].as_str()).collect();
    json!({ "id": id, "role": role, "text": text, "content": content, "created_ms": created_ms })
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(misfit("", "The body must be a JSON object.")),
        Err(error) => {
            let at = format!("line {}, column {}", error.line(), error.column());
            Err(Error::new(Code::InvalidJson, format!("The body is not JSON in UTF-8: see {at}.")))
        }
    }
}

fn known_fields(body: &Map<String, Value>, known: &[&str]) -> Result<(), Error> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            Err(misfit(&pointer, &format!("This field is not known. The body takes {}.", known.join(", "))))
        }
    }
}

fn title(body: &Map<String, Value>) -> Result<Option<String>, Error> {
    match body.get("title") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= TITLE_MAX_CHARS && !text.chars().any(char::is_control) => {
            Ok(Some(text.trim().to_owned()))
        }
        Some(_) => Err(misfit("/title", "A title must be a text of at most 200 characters on one line.")),
    }
}

fn is_id(id: &str) -> bool {
    (1..=ID_MAX_BYTES).contains(&id.len()) && !id.chars().any(char::is_control)
}

fn misfit(pointer: &str, sentence: &str) -> Error {
    Error::new(Code::InvalidBody, sentence).pointer(pointer)
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
        assert!(Rename::parse(br#"{"title":"a\nb"}"#).is_err());
        assert_eq!(Rename::parse(br#"{"title":" a "}"#).unwrap().title, "a");
    }
}
