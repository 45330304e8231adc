//! Refresh tokens: opaque to clients, stored only as hashes. Each is made out of the one before it, so that all who
//! hold the same token get the same successor and a session never forks.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::SecureRandom as _;
use uuid::Uuid;

use super::{Keys, keys::sha256_hex};

const PREFIX: &str = "rt_";
const PURPOSE: &str = "refresh";

/// A refresh token: its session and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    session: Uuid,
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first of a new session. `None` where the kernel has no random source.
    pub fn first() -> Option<Self> {
        let mut secret = [0; 32];
        ring::rand::SystemRandom::new().fill(&mut secret).ok()?;
        Some(Self { session: Uuid::now_v7(), secret })
    }

    /// Reads a token of ours. A forged or mangled one is `None`, and has cost nobody a round trip.
    pub fn parse(text: &str, keys: &Keys) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (token, tag) = bytes.split_at_checked(48)?;
        let (session, secret) = token.split_at_checked(16)?;
        if tag.len() != 16 || !keys.verifies(PURPOSE, token, tag) {
            return None;
        }
        Some(Self { session: Uuid::from_slice(session).ok()?, secret: secret.try_into().ok()? })
    }

    /// The text that a client keeps.
    pub fn encode(&self, keys: &Keys) -> String {
        let mut bytes = self.bytes();
        let tag = keys.tag(PURPOSE, &bytes);
        bytes.extend_from_slice(&tag[..16]);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The session's id.
    pub fn session(&self) -> String {
        self.session.to_string()
    }

    /// What is stored.
    pub fn hash(&self) -> String {
        sha256_hex(&self.bytes())
    }

    /// The successors that the deployment's secrets make, the newest secret's first: that one is given out, the
    /// others recognise what was given out before a secret was added.
    pub fn successors<'a>(&'a self, keys: &'a Keys) -> impl Iterator<Item = Self> + 'a {
        let secret = &self.secret;
        keys.tags("refresh-next", secret).map(|secret| Self { session: self.session, secret })
    }

    fn bytes(&self) -> Vec<u8> {
        [self.session.as_bytes().as_slice(), &self.secret].concat()
    }
}

impl std::fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshToken").field("session", &self.session).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn keys(secrets: &[&str]) -> Keys {
        Keys::new(secrets.iter().map(|secret| Secret::new(*secret)).collect()).unwrap()
    }

    #[test]
    fn a_token_comes_back_as_it_went_and_a_changed_one_does_not() {
        let keys = keys(&["one"]);
        let token = RefreshToken::first().unwrap();
        let text = token.encode(&keys);
        assert_eq!(RefreshToken::parse(&text, &keys), Some(token));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(RefreshToken::parse(std::str::from_utf8(&bytes).unwrap(), &keys), None, "at {at}");
        }
        for text in ["", "rt_", &text[..text.len() - 1], &format!("{text}A")] {
            assert_eq!(RefreshToken::parse(text, &keys), None);
        }
        assert_eq!(RefreshToken::parse(&text, &super::Keys::new(vec![Secret::new("two")]).unwrap()), None);
    }

    #[test]
    fn the_same_token_has_the_same_successor_and_no_other_has() {
        let keys = keys(&["one"]);
        let token = RefreshToken::first().unwrap();
        let next = |token: &RefreshToken| token.successors(&keys).next().unwrap();
        assert_eq!(next(&token), next(&token));
        assert_ne!(next(&token).hash(), token.hash());
        assert_ne!(next(&next(&token)), next(&token));
        assert_eq!(next(&token).session(), token.session());
    }

    #[test]
    fn a_new_secret_knows_the_successors_of_the_old_one() {
        let token = RefreshToken::first().unwrap();
        let old = token.successors(&keys(&["old"])).next().unwrap();
        assert!(token.successors(&keys(&["new", "old"])).any(|next| next == old));
    }
}
