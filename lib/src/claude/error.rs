//! What can go wrong with Claude's API, and what a caller is told.

use std::fmt;

use crate::{Code, Error};

/// Why there is no answer, or none to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaudeError {
    /// No connection, or it broke before the answer began.
    Unreachable(String),
    /// No answer in time.
    Timeout,
    /// An answer that is not of this protocol.
    Protocol(String),
    /// An error answer.
    Refused {
        /// HTTP status.
        status: u16,
        /// `error.type`.
        kind: String,
        /// `error.message`: may quote the request, so it is for the caller and never for a log.
        message: String,
        /// `error.details.error_code`.
        error_code: Option<String>,
        /// `retry-after`, in seconds.
        retry_after_s: Option<u64>,
        /// `request-id`.
        request_id: Option<String>,
    },
}

impl ClaudeError {
    /// An answer that is not of this protocol.
    pub fn protocol(what: impl fmt::Display) -> Self {
        Self::Protocol(what.to_string())
    }

    /// Whether Claude can have begun to work, and so to charge, although no answer came.
    pub fn may_be_billed(&self) -> bool {
        matches!(self, Self::Timeout | Self::Protocol(_))
    }

    /// A short name for the ledger.
    pub fn ledger_code(&self) -> &str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::Protocol(_) => "protocol",
            Self::Refused { kind, .. } => kind,
        }
    }
}

impl fmt::Display for ClaudeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "Claude is unreachable: {why}"),
            Self::Timeout => f.write_str("Claude did not answer in time"),
            Self::Protocol(why) => write!(f, "Claude's answer cannot be read: {why}"),
            Self::Refused { status, kind, error_code, .. } => {
                write!(f, "Claude answered {status} {kind} {}", error_code.as_deref().unwrap_or_default())
            }
        }
    }
}

impl std::error::Error for ClaudeError {}

impl From<ClaudeError> for Error {
    fn from(error: ClaudeError) -> Self {
        let log = error.to_string();
        let told = match error {
            ClaudeError::Unreachable(_) | ClaudeError::Protocol(_) => {
                Self::new(Code::ClaudeUnavailable, "Claude cannot be reached at the moment. Try again.")
                    .retry_after_s(5)
            }
            ClaudeError::Timeout => Self::new(Code::ClaudeTimeout, "Claude took too long to answer. Try again."),
            ClaudeError::Refused { status, kind, message, error_code, retry_after_s, .. } => {
                refused(status, &kind, message, error_code, retry_after_s)
            }
        };
        told.log(log)
    }
}

fn refused(status: u16, kind: &str, message: String, error_code: Option<String>, retry_after_s: Option<u64>) -> Error {
    match status {
        // Key, billing and permission are the deployment's affair: the caller cannot mend them and need not know.
        401 | 402 => misconfigured("key or the billing"),
        400 if error_code.as_deref().is_some_and(is_deployments_affair) => misconfigured("key or the billing"),
        403 if kind == "permission_error" => misconfigured("key's permissions"),
        429 => {
            let error =
                Error::new(Code::ClaudeRateLimited, "Claude limits this deployment's rate at the moment. Try again.");
            match retry_after_s {
                Some(seconds) => error.retry_after_s(seconds),
                None => error,
            }
        }
        529 | 503 => Error::new(Code::ClaudeOverloaded, "Claude is overloaded at the moment. Try again.")
            .retry_after_s(retry_after_s.unwrap_or(5)),
        504 => Error::new(Code::ClaudeTimeout, "Claude took too long to answer. Try again."),
        404 => Error::new(Code::ModelUnknown, "Claude's API does not know this model."),
        // About the caller's own request: the class that an SDK raises, and the code that it branches on, are Claude's.
        409 => told(Code::Conflict, message, error_code),
        413 => told(Code::BodyTooLarge, message, error_code),
        400..=499 => told(Code::ClaudeRefused, message, error_code),
        _ => Error::new(Code::ClaudeUnavailable, "Claude's API failed. Try again.").retry_after_s(5),
    }
}

fn told(code: Code, message: String, error_code: Option<String>) -> Error {
    let error = Error::new(code, message);
    match error_code {
        Some(error_code) => error.member("error_code", error_code),
        None => error,
    }
}

fn misconfigured(what: &str) -> Error {
    let detail = format!("This deployment cannot use Claude at the moment. Its owner has to look at the {what}.");
    Error::new(Code::ClaudeMisconfigured, detail)
}

/// Spend limits and holds of the organisation come as 400 too (`@anthropic-ai/sdk` 1.12.0).
fn is_deployments_affair(error_code: &str) -> bool {
    error_code.ends_with("spend_limit_reached") || error_code == "organization_on_hold"
}
