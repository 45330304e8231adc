//! Bearer tokens as a team's own backend mints them: HS256 over the deployment's secret (RFC 7519).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use purser::clock;
use ring::hmac;
use serde_json::{Value, json};

/// Longer than any run.
const LIFE_S: i64 = 86_400;

/// A good token.
pub(super) fn mint(secret: &str, subject: &str, plan: &str) -> String {
    let now_s = clock::now_ms() / 1_000;
    // Functions' clocks may be an hour behind.
    let issued_s = now_s - 7_200;
    let claims = json!({
        "sub": subject, "plan": plan, "iss": "purser", "aud": "purser", "iat": issued_s, "exp": now_s + LIFE_S,
    });
    let text = format!("{}.{}", encode(&json!({ "alg": "HS256", "typ": "JWT" })), encode(&claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
