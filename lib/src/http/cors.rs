//! Cross-origin calls: an allow-list, never a wildcard.

use super::{Body, HeaderMap, HeaderValue, Response, StatusCode, header};
use crate::{Code, Error};

/// Headers that a page may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-request-id, request-id, server-timing, retry-after, ratelimit, ratelimit-policy, x-purser-degraded, \
     x-purser-max-tokens, x-vercel-ai-ui-message-stream, x-should-retry, anthropic-ratelimit-requests-limit, \
     anthropic-ratelimit-requests-remaining, anthropic-ratelimit-requests-reset",
);

/// What the request's `Origin` means for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// No `Origin`, or the deployment's own.
    Same,
    /// Another one, from the allow-list.
    Allowed(HeaderValue),
}

impl Origin {
    /// Reads and checks the `Origin` header. `None` for an origin that is not on the list: a page there must not
    /// spend a visitor's quota.
    pub fn check(headers: &HeaderMap, allowed: &[String]) -> Option<Self> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Some(Self::Same) };
        let text = origin.to_str().unwrap_or_default();
        if allowed.iter().any(|one| one == text) {
            return Some(Self::Allowed(origin.clone()));
        }
        let host = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let own = host("x-forwarded-host").or_else(|| host("host"));
        let (_, at) = text.split_once("://")?;
        (Some(at) == own).then_some(Self::Same)
    }

    /// Whether a page of another site is calling.
    pub fn is_cross_site(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Adds what the browser wants to see.
    pub fn decorate(&self, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Self::Allowed(origin) = self {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// The answer to a preflight (Fetch standard, CORS-preflight).
    pub fn preflight(&self, request: &HeaderMap, allow: HeaderValue) -> Response {
        let mut response = Response::new(Body::from(Vec::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, allow.clone());
        if self.is_cross_site() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
            if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
            }
        }
        response
    }
}

/// The refusal of an origin that is not on the list.
pub fn foreign_origin() -> Error {
    Error::new(
        Code::Forbidden,
        "Pages of this origin may not call this deployment. Its owner can add the origin to ALLOWED_ORIGINS.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([
            (header::ORIGIN, HeaderValue::from_static(origin)),
            (header::HOST, HeaderValue::from_static("app.example")),
        ])
    }

    #[test]
    fn only_the_same_and_the_listed_origins_pass() {
        let listed = ["https://front.example".to_owned()];
        assert_eq!(Origin::check(&HeaderMap::new(), &listed).unwrap(), Origin::Same);
        assert_eq!(Origin::check(&headers("https://app.example"), &listed).unwrap(), Origin::Same);
        assert!(Origin::check(&headers("https://front.example"), &listed).unwrap().is_cross_site());
        for foreign in ["https://evil.example", "null", "https://front.example.evil", "http://front.example"] {
            assert_eq!(Origin::check(&headers(foreign), &listed), None);
        }
    }
}
