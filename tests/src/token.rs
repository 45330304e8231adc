//! Tokens as a team's own backend would mint them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};

use crate::deployment::JWT_SECRET;

/// The claims of a good token.
pub fn claims(subject: &str, plan: &str) -> Value {
    json!({ "sub": subject, "plan": plan, "iss": "purser", "aud": "purser", "exp": now_s() + 600 })
}

/// A good token.
pub fn mint(subject: &str, plan: &str) -> String {
    sign(&json!({ "alg": "HS256", "typ": "JWT" }), &claims(subject, plan), JWT_SECRET)
}

/// A token of any header, claims and key.
pub fn sign(header: &Value, claims: &Value, secret: &str) -> String {
    let text = format!("{}.{}", encode(header), encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Seconds since 1970.
pub fn now_s() -> i64 {
    purser::clock::now_ms() / 1_000
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
