//! What goes to Redis and what comes back.

use super::CacheError;

/// One argument of a command: text, for Upstash takes JSON. Numbers are written as plain decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg(pub(super) String);

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl From<u64> for Arg {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

/// An answer. Both kinds of Redis give the same one for the same command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// An integer.
    Int(i64),
    /// A string, which need not be UTF-8. A status such as `OK` is one, too.
    Text(Vec<u8>),
    /// Several answers.
    List(Vec<Reply>),
}

impl Reply {
    /// The integer, also one that was stored as text.
    ///
    /// # Errors
    /// [`CacheError::Protocol`] if it is none.
    pub fn int(&self) -> Result<i64, CacheError> {
        match self {
            Self::Int(number) => Ok(*number),
            Self::Text(_) => self.text()?.parse().map_err(|_| self.unlike("an integer")),
            Self::Nil | Self::List(_) => Err(self.unlike("an integer")),
        }
    }

    /// The text.
    ///
    /// # Errors
    /// [`CacheError::Protocol`] if it is none, or not UTF-8.
    pub fn text(&self) -> Result<&str, CacheError> {
        match self {
            Self::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| self.unlike("UTF-8")),
            Self::Nil | Self::Int(_) | Self::List(_) => Err(self.unlike("text")),
        }
    }

    /// The parts of a list.
    ///
    /// # Errors
    /// [`CacheError::Protocol`] if it is none.
    pub fn list(&self) -> Result<&[Reply], CacheError> {
        match self {
            Self::List(parts) => Ok(parts),
            Self::Nil | Self::Int(_) | Self::Text(_) => Err(self.unlike("a list")),
        }
    }

    /// Says what was expected, not what came: a value may be somebody's data.
    fn unlike(&self, expected: &str) -> CacheError {
        let kind = match self {
            Self::Nil => "nil",
            Self::Int(_) => "an integer",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
        };
        CacheError::Protocol(format!("expected {expected}, got {kind}"))
    }
}
