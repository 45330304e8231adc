//! Personal API keys: for scripts, which cannot refresh tokens. A key says whose it is and is signed, so that a
//! forged one is refused without a round trip; whether it still counts is asked in the round trips of the call.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::SecureRandom as _;
use uuid::Uuid;

use super::{Keys, keys::sha256_hex};

/// What keys begin with, so that people and leak scanners know one: `pk_` and 86 characters of base64url.
pub const PREFIX: &str = "pk_";
const PURPOSE: &str = "api-key";

/// A personal API key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    id: Uuid,
    user: Uuid,
    secret: [u8; 16],
}

impl ApiKey {
    /// A new key of an account. `None` where the kernel has no random source, or the id is no UUID.
    pub fn new(user_id: &str) -> Option<Self> {
        let mut secret = [0; 16];
        ring::rand::SystemRandom::new().fill(&mut secret).ok()?;
        Some(Self { id: Uuid::now_v7(), user: Uuid::parse_str(user_id).ok()?, secret })
    }

    /// Reads a key of ours; a forged or mangled one is `None`.
    pub fn parse(text: &str, keys: &Keys) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (key, tag) = bytes.split_at_checked(48)?;
        if tag.len() != 16 || !keys.verifies(PURPOSE, key, tag) {
            return None;
        }
        let part = |at: usize| key.get(at..at + 16);
        Some(Self {
            id: Uuid::from_slice(part(0)?).ok()?,
            user: Uuid::from_slice(part(16)?).ok()?,
            secret: part(32)?.try_into().ok()?,
        })
    }

    /// The text that is shown once.
    pub fn encode(&self, keys: &Keys) -> String {
        let mut bytes = self.bytes();
        let tag = keys.tag(PURPOSE, &bytes);
        bytes.extend_from_slice(&tag[..16]);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Its id.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// The account's id.
    pub fn user(&self) -> String {
        self.user.to_string()
    }

    /// What is stored.
    pub fn hash(&self) -> String {
        sha256_hex(&self.bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        [self.id.as_bytes().as_slice(), self.user.as_bytes(), &self.secret].concat()
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_key_comes_back_as_it_went_and_a_changed_one_does_not() {
        let keys = Keys::new(vec![Secret::new("one")]).unwrap();
        let key = ApiKey::new(&crate::ids::new_id()).unwrap();
        let text = key.encode(&keys);
        assert!(text.starts_with("pk_") && text.len() == 89);
        assert_eq!(ApiKey::parse(&text, &keys), Some(key));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(ApiKey::parse(std::str::from_utf8(&bytes).unwrap(), &keys), None, "at {at}");
        }
        assert_eq!(ApiKey::parse(&text, &Keys::new(vec![Secret::new("two")]).unwrap()), None);
    }
}
