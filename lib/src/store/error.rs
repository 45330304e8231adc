//! What can go wrong with the store.

use std::fmt;

use crate::{Code, Error};

/// Which kind of constraint refused a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// The key is taken.
    Unique,
    /// A value that must be there is not: how statements of one transaction say that their condition fails.
    NotNull,
    /// Such a value, where it says that a call's money is not there.
    Money,
    /// A condition on a row.
    Check,
    /// Another one.
    Other,
}

impl Constraint {
    /// What it means that a column may not be null.
    pub(super) fn of_column(name: Option<&str>) -> Self {
        match name {
            Some("fits" | "ceiling_nanousd") => Self::Money,
            _ => Self::NotNull,
        }
    }
}

/// Why a statement was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The URL cannot be read.
    Malformed,
    /// No connection, or none free in time: nothing was done.
    Unavailable(String),
    /// The answer never came: nobody can tell whether it was done.
    Unknown(String),
    /// A constraint refused the row.
    Refused(Constraint),
    /// The session or key that the work was for has ended, or the plan in force is another one: nothing was done.
    Ended,
    /// A fault of ours.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the database URL cannot be read"),
            Self::Unavailable(why) => write!(f, "the store is unavailable: {why}"),
            Self::Unknown(why) => write!(f, "the store did not say whether it was done: {why}"),
            Self::Refused(constraint) => write!(f, "a {constraint:?} constraint refused the row"),
            Self::Ended => f.write_str("the caller's session or key has ended"),
            Self::Failed(why) => write!(f, "the store failed: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Unknown(_) => Self::new(
                Code::StoreUnavailable,
                "The store does not answer at the moment; nothing was started. Try again.",
            )
            .retry_after_s(2)
            .log(error),
            StoreError::Ended => {
                Self::new(Code::SessionRevoked, "This session or key has ended. Sign in again.").log(error)
            }
            error => Self::internal(error),
        }
    }
}
