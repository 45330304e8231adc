//! What can go wrong with Stripe.

use std::fmt;

use serde::Deserialize;

use crate::{Code, Error};

/// Why Stripe did not do what was asked.
///
/// Stripe's own sentences are not kept: they quote what was sent, e-mail addresses among it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StripeError {
    /// No answer: no connection, a broken one, or none in time. Whether it was done is not known; the same
    /// idempotency key finds out.
    Unreachable(&'static str),
    /// An error answer. Under the same idempotency key it stays the same for a day.
    Refused {
        /// HTTP status.
        status: u16,
        /// `type`, such as `invalid_request_error`.
        kind: String,
        /// `code`, such as `resource_missing`.
        code: Option<String>,
        /// The parameter that it is about.
        param: Option<String>,
        /// Stripe's id of the request.
        request_id: Option<String>,
    },
    /// An answer that is not what the API promises.
    Nonsense(&'static str),
}

#[derive(Deserialize, Default)]
struct Body {
    #[serde(default)]
    error: Told,
}

#[derive(Deserialize, Default)]
struct Told {
    #[serde(rename = "type", default)]
    kind: String,
    code: Option<String>,
    param: Option<String>,
}

impl StripeError {
    pub(super) fn refused(status: u16, request_id: Option<String>, body: &[u8]) -> Self {
        // What stands in front of the API may answer without JSON.
        let Told { kind, code, param } = serde_json::from_slice::<Body>(body).unwrap_or_default().error;
        Self::Refused { status, kind, code, param, request_id }
    }

    /// Whether Stripe said that the thing which this parameter names does not exist.
    pub fn is_missing(&self, about: &str) -> bool {
        matches!(self, Self::Refused { code: Some(code), param, .. }
            if code == "resource_missing" && param.as_deref() == Some(about))
    }

    /// Whether other values were sent before under the same idempotency key.
    pub fn is_other_under_key(&self) -> bool {
        matches!(self, Self::Refused { kind, status, .. } if kind == "idempotency_error" && *status != 409)
    }

    /// Whether the outcome is known and would be repeated under the same idempotency key.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if !matches!(status, 409 | 429))
    }
}

impl fmt::Display for StripeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "Stripe cannot be reached: {why}"),
            Self::Refused { status, kind, code, param, request_id } => {
                let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                let (code, param, request_id) = (or_dash(code), or_dash(param), or_dash(request_id));
                write!(f, "Stripe answered {status} {kind} {code} {param} {request_id}")
            }
            Self::Nonsense(what) => write!(f, "Stripe answered something else than promised: {what}"),
        }
    }
}

impl std::error::Error for StripeError {}

impl From<StripeError> for Error {
    fn from(error: StripeError) -> Self {
        match &error {
            StripeError::Refused { status: 400..=404, .. } => Self::new(
                Code::StripeMisconfigured,
                "Stripe refused what this deployment asked for. Its owner can see why in the log.",
            )
            .log(error),
            _ => Self::new(Code::StripeUnavailable, "Stripe does not answer at the moment. Try again.")
                .retry_after_s(5)
                .log(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stripe_quotes_is_not_kept() {
        let body = br#"{"error":{"type":"invalid_request_error","code":"email_invalid","param":"email",
            "message":"Invalid email address: ann@example.com"}}"#;
        let error = StripeError::refused(400, Some("req_1".to_owned()), body);
        assert_eq!(error.to_string(), "Stripe answered 400 invalid_request_error email_invalid email req_1");
        assert!(!format!("{error:?} {}", Error::from(error.clone())).contains("ann@"));
        assert_eq!(Error::from(error).code(), Code::StripeMisconfigured);
    }

    #[test]
    fn an_answer_without_json_is_an_outage_where_the_status_says_so() {
        let error = StripeError::refused(503, None, b"<html>");
        assert!(error.is_final());
        assert_eq!(Error::from(error).code(), Code::StripeUnavailable);
        assert_eq!(Error::from(StripeError::refused(429, None, b"{}")).code(), Code::StripeUnavailable);
    }
}
