//! Reads JSON piece by piece and knows where each piece is, so that an error can point at it (RFC 6901).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Code, Error};

/// A value that is known to be JSON, and its pointer.
pub(super) struct Node<'a> {
    raw: &'a RawValue,
    at: String,
}

/// An object's members in the order they came, doubled ones included.
pub(super) struct Object<'a> {
    members: Vec<(Key<'a>, &'a RawValue)>,
    at: String,
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// [`Code::InvalidBody`] with a pointer.
pub(super) fn refuse(at: impl Into<String>, detail: impl Into<String>) -> Error {
    Error::new(Code::InvalidBody, detail).pointer(at)
}

impl<'a> Node<'a> {
    /// The whole document. [`Code::InvalidJson`], with line and column, where it is not JSON.
    pub(super) fn document(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.trim_ascii().is_empty() {
            return Err(Error::new(Code::InvalidJson, "The body is empty."));
        }
        let text = std::str::from_utf8(bytes).map_err(|fault| {
            let byte = fault.valid_up_to();
            Error::new(Code::InvalidJson, format!("The body is not UTF-8: see byte {byte}.")).member("byte", byte)
        })?;
        let raw = serde_json::from_str(text).map_err(|fault| {
            let (line, column) = (fault.line(), fault.column());
            Error::new(Code::InvalidJson, format!("The body is not JSON: see line {line}, column {column}."))
                .member("line", line)
                .member("column", column)
        })?;
        Ok(Self { raw, at: String::new() })
    }

    /// An error that points at this value.
    pub(super) fn refuse(&self, detail: impl Into<String>) -> Error {
        refuse(self.at.clone(), detail)
    }

    /// An error that names this value and what it should be.
    fn unfit(&self, wanted: &str) -> Error {
        let name = if self.at.is_empty() { "The body" } else { self.at.as_str() };
        self.refuse(format!("{name} must be {wanted}, not {}.", self.kind()))
    }

    fn kind(&self) -> &'static str {
        match self.raw.get().as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "such a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "such a number",
        }
    }

    /// Whether this is a JSON object.
    pub(super) fn is_object(&self) -> bool {
        self.raw.get().starts_with('{')
    }

    /// The members of an object.
    pub(super) fn object(&self) -> Result<Object<'a>, Error> {
        let Members(members) = serde_json::from_str(self.raw.get()).map_err(|_| self.unfit("an object"))?;
        Ok(Object { members, at: self.at.clone() })
    }

    /// The items of an array.
    pub(super) fn array(&self) -> Result<Vec<Self>, Error> {
        let items: Vec<&'a RawValue> = serde_json::from_str(self.raw.get()).map_err(|_| self.unfit("an array"))?;
        let at = &self.at;
        Ok(items.into_iter().enumerate().map(|(index, raw)| Self { raw, at: format!("{at}/{index}") }).collect())
    }

    /// A string. A lone surrogate is refused: it is no Unicode text.
    pub(super) fn text(&self) -> Result<Cow<'a, str>, Error> {
        let Key(text) = serde_json::from_str(self.raw.get()).map_err(|_| self.unfit("a string of Unicode text"))?;
        Ok(text)
    }

    /// An id that a client chose: 1 to 200 bytes, none of them of a control character.
    pub(super) fn id(&self) -> Result<String, Error> {
        let text = self.text()?;
        if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
            return Err(self.refuse(format!("{} must be 1 to 200 bytes without control characters.", self.at)));
        }
        Ok(text.into_owned())
    }

    /// A text that is not blank.
    pub(super) fn words(&self) -> Result<String, Error> {
        let text = self.text()?;
        if text.trim().is_empty() {
            return Err(self.refuse(format!("{} must not be empty.", self.at)));
        }
        Ok(text.into_owned())
    }

    /// A string's text, or any other value as the JSON that it is.
    pub(super) fn words_of(&self) -> Result<String, Error> {
        if self.raw.get().starts_with('"') { Ok(self.text()?.into_owned()) } else { Ok(self.raw.get().to_owned()) }
    }

    /// The JSON that this value is, if it is of a kind: `[`, `{`.
    pub(super) fn passed(&self, kinds: &[char], wanted: &str) -> Result<String, Error> {
        if self.raw.get().starts_with(kinds) { Ok(self.raw.get().to_owned()) } else { Err(self.unfit(wanted)) }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Result<bool, Error> {
        serde_json::from_str(self.raw.get()).map_err(|_| self.unfit("true or false"))
    }

    /// A whole number from 1 to `most`.
    pub(super) fn count(&self, most: u64) -> Result<u64, Error> {
        let number: Option<u64> = serde_json::from_str(self.raw.get()).ok();
        let fits = number.filter(|number| (1..=most).contains(number));
        fits.ok_or_else(|| self.refuse(format!("{} must be a whole number from 1 to {most}.", self.at)))
    }
}

impl<'a> Object<'a> {
    /// A member; `null` counts as absent. Given twice, it is refused: two readers would believe two different ones.
    pub(super) fn get(&self, name: &str) -> Result<Option<Node<'a>>, Error> {
        let mut found = self.members.iter().filter(|(key, _)| key.0 == name);
        let first = found.next();
        if found.next().is_some() {
            return Err(refuse(self.pointer_to(name), format!("{} is given twice.", self.pointer_to(name))));
        }
        let present = first.filter(|(_, raw)| raw.get() != "null");
        Ok(present.map(|(_, raw)| Node { raw, at: self.pointer_to(name) }))
    }

    /// A member that must be there.
    pub(super) fn require(&self, name: &str) -> Result<Node<'a>, Error> {
        self.get(name)?.ok_or_else(|| {
            let at = self.pointer_to(name);
            refuse(at.clone(), format!("{at} is missing."))
        })
    }

    /// Refuses every member that is not among `known`.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Error> {
        let unknown = self.members.iter().find(|(key, _)| !known.contains(&key.0.as_ref()));
        unknown.map_or(Ok(()), |(key, _)| {
            let at = self.pointer_to(&key.0);
            Err(refuse(at.clone(), format!("{at} is not known here. Known: {}.", known.join(", "))))
        })
    }

    /// The pointer of a member, escaped as RFC 6901, section 3 says.
    pub(super) fn pointer_to(&self, name: &str) -> String {
        format!("{}/{}", self.at, name.replace('~', "~0").replace('/', "~1"))
    }
}

struct Members<'a>(Vec<(Key<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Key<'de>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(error: &Error) -> &str {
        error.members()["pointer"].as_str().unwrap()
    }

    #[test]
    fn a_broken_document_says_its_line_and_column() {
        let error = Node::document(b"{\n  \"message\": oops}").err().unwrap();
        assert_eq!(error.code(), Code::InvalidJson);
        assert_eq!((error.members()["line"].as_u64(), error.members()["column"].as_u64()), (Some(2), Some(14)));
    }

    #[test]
    fn no_document_but_utf_8_is_read() {
        for bytes in [&b"{\"message\":\"\xff\"}"[..], b"", b" \n", b"{} {}", b"{\"a\":1,}", b"\"\x01\""] {
            assert_eq!(Node::document(bytes).err().unwrap().code(), Code::InvalidJson, "{bytes:?}");
        }
    }

    #[test]
    fn a_document_of_a_million_brackets_is_only_an_error() {
        let bytes = vec![b'['; 1_000_000];
        assert_eq!(Node::document(&bytes).err().unwrap().code(), Code::InvalidJson);
    }

    #[test]
    fn pointers_are_escaped() {
        let object = Node::document(br#"{"a/b~c":1,"a/b~c":2}"#).unwrap().object().unwrap();
        assert_eq!(pointer(&object.get("a/b~c").err().unwrap()), "/a~1b~0c");
        assert_eq!(pointer(&object.only(&[]).unwrap_err()), "/a~1b~0c");
    }

    #[test]
    fn an_escaped_key_is_the_same_key() {
        let object = Node::document(br#"{"mess\u0061ge":"hi"}"#).unwrap().object().unwrap();
        assert_eq!(object.require("message").unwrap().text().unwrap(), "hi");
    }

    #[test]
    fn a_lone_surrogate_is_no_text() {
        let object = Node::document(br#"{"text":"\ud800"}"#).unwrap().object().unwrap();
        assert_eq!(pointer(&object.require("text").unwrap().text().unwrap_err()), "/text");
    }
}
