//! Who asks: the holder of a bearer token or a personal API key, or an anonymous browser on a network.

mod algorithms;
mod anonymous;
mod api_key;
mod caller;
mod issuer;
mod jwt;
mod keys;
mod refresh;

pub use anonymous::{Browser, COOKIE};
pub use api_key::{ApiKey, PREFIX as API_KEY_PREFIX};
pub use caller::{Caller, Credential, Kind};
pub use issuer::Issuer;
pub use jwt::{ACCESS_TTL_S, Verifier, access_token};
pub use keys::Keys;
pub use refresh::RefreshToken;

use ring::rand::SecureRandom as _;

/// 32 random bytes in hex; `None` where the kernel has no random source.
pub fn random_hex() -> Option<String> {
    let mut bytes = [0_u8; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).ok()?;
    Some(crate::hex::encode(&bytes))
}
