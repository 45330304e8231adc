//! Why the limiter has no decision.

use std::fmt;

use crate::{Code, Error, cache::CacheError};

/// No decision: nothing may be started. A refusal is none of these, it is a decision.
#[derive(Debug)]
pub enum LimitError {
    /// The ask itself makes no sense: a fault of ours.
    Invalid(&'static str),
    /// Redis did not decide.
    Cache(CacheError),
    /// SQLite did not decide.
    #[cfg(sqlite)]
    Sqlite(rusqlite::Error),
    /// The memory of a degraded instance is full of limits that still hold.
    Full,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) => write!(f, "the limiter was asked nonsense: {text}"),
            Self::Cache(error) => write!(f, "the limiter has no answer: {error}"),
            #[cfg(sqlite)]
            Self::Sqlite(error) => write!(f, "the limiter has no answer: {error}"),
            Self::Full => f.write_str("the limiter's memory is full"),
        }
    }
}

impl std::error::Error for LimitError {}

impl From<LimitError> for Error {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Invalid(_) => Self::internal(error),
            error => Self::new(
                Code::LimiterUnavailable,
                "The limiter does not answer at the moment; nothing was started. Try again.",
            )
            .retry_after_s(2)
            .log(error),
        }
    }
}

impl From<CacheError> for LimitError {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

#[cfg(sqlite)]
impl From<rusqlite::Error> for LimitError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
