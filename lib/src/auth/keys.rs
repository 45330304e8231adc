//! The deployment's secrets: the first signs, all of them verify, so that one can take the place of another without
//! anybody being signed out.

use ring::{digest, hmac};

use crate::config::Secret;
use crate::hex;

/// One or more secrets, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys(Vec<Secret>);

impl Keys {
    /// The newest comes first. `None` without any.
    pub fn new(secrets: Vec<Secret>) -> Option<Self> {
        (!secrets.is_empty()).then_some(Self(secrets))
    }

    /// All secrets, the newest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }

    /// The tag of a text under the newest secret. The purpose is part of the key: a tag is worth nothing elsewhere.
    pub(super) fn tag(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        // There is always one; an empty secret would never sign.
        self.0.first().map_or([0; 32], |secret| tag(secret, purpose, text))
    }

    /// The tags of a text under every secret, the newest first.
    pub(super) fn tags<'a>(&'a self, purpose: &'a str, text: &'a [u8]) -> impl Iterator<Item = [u8; 32]> + 'a {
        self.0.iter().map(move |secret| tag(secret, purpose, text))
    }

    /// Whether a tag, or the beginning of one, was made by one of the secrets. In constant time.
    pub(super) fn verifies(&self, purpose: &str, text: &[u8], given: &[u8]) -> bool {
        let expected = |whole: [u8; 32]| whole.get(..given.len()).is_some_and(|part| equal(part, given));
        given.len() >= 16 && self.tags(purpose, text).any(expected)
    }

    /// A keyed digest: the same text gives the same 32 hex digits, and nobody without the secret can tell the text.
    /// Used for network and e-mail addresses, which are personal data and stay out of Redis. A new secret gives new
    /// digests.
    pub fn pseudonym(&self, purpose: &str, text: &str) -> String {
        hex::encode(&self.tag(purpose, text.as_bytes())[..16])
    }
}

/// The name of a secret in token headers: nobody can tell the secret from it.
pub(super) fn key_id(secret: &Secret) -> String {
    hex::encode(&tag(secret, "key-id", b"")[..4])
}

fn tag(secret: &Secret, purpose: &str, text: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, format!("{purpose}:{}", secret.expose()).as_bytes());
    let mut whole = [0; 32];
    whole.copy_from_slice(hmac::sign(&key, text).as_ref());
    whole
}

/// Equal tags under one key mean equal bytes, and comparing tags tells nothing about either.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"equal");
    hmac::verify(&key, other, hmac::sign(&key, one).as_ref()).is_ok()
}

/// SHA-256 in hex: how secrets that are random anyway are stored.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn keys(secrets: &[&str]) -> Keys {
        Keys::new(secrets.iter().map(|secret| Secret::new(*secret)).collect()).unwrap()
    }

    #[test]
    fn the_first_signs_and_all_verify() {
        let (old, both, new) = (keys(&["old"]), keys(&["new", "old"]), keys(&["new"]));
        let tag = old.tag("browser", b"text");
        assert!(both.verifies("browser", b"text", &tag));
        assert!(both.verifies("browser", b"text", &tag[..16]));
        assert!(!new.verifies("browser", b"text", &tag));
        assert_eq!(both.tag("browser", b"text"), new.tag("browser", b"text"));
    }

    #[test]
    fn a_tag_is_worth_nothing_for_another_purpose_text_or_when_it_is_short() {
        let keys = keys(&["secret"]);
        let tag = keys.tag("browser", b"text");
        assert!(!keys.verifies("refresh", b"text", &tag));
        assert!(!keys.verifies("browser", b"texts", &tag));
        assert!(!keys.verifies("browser", b"text", &tag[..15]));
        assert!(!keys.verifies("browser", b"text", &[]));
        assert!(!keys.verifies("browser", b"text", &[&tag[..], &[0]].concat()));
    }
}
