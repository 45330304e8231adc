//! Who asks: a bearer token's subject, or an anonymous browser on a network.

mod anonymous;
mod caller;
mod jwt;

pub use anonymous::{Browser, COOKIE};
pub use caller::{Caller, Credential, Kind};
pub use jwt::Verifier;

use std::fmt::Write as _;

use ring::{hmac, rand::SecureRandom as _};

/// 32 random bytes in hex; `None` where the kernel has no random source.
pub fn random_hex() -> Option<String> {
    let mut bytes = [0_u8; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

/// A keyed digest: the same text gives the same 32 hex digits, and nobody without the secret can tell the text.
/// Used for network addresses, which are personal data and stay out of Redis.
pub fn pseudonym(secret: &str, purpose: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{purpose}:{text}").as_bytes());
    hex(&tag.as_ref()[..16])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads hex of either case; `None` where it is none.
pub(crate) fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
