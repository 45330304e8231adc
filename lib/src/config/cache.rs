//! Redis, by whichever door it has.

use std::time::Duration;

use super::{ConfigError, Secret};
use crate::{cache::DEADLINE, env};

/// How Redis is reached, and what stands before every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// The door.
    pub door: Door,
    /// Put before every key.
    pub prefix: String,
    /// How long an answer is waited for.
    pub deadline: Duration,
}

/// How Redis is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Door {
    /// `redis://` or `rediss://`.
    Tcp {
        /// The URL, which holds the password.
        url: Secret,
        /// Authorities that are trusted in place of Mozilla's, as PEM; read where a connection is made.
        ca_cert: Option<String>,
    },
    /// Upstash over REST.
    Rest {
        /// `https://…`
        url: String,
        /// Its bearer token.
        token: Secret,
    },
}

impl Cache {
    /// REST if both of its variables are set, else TCP, else none.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        let prefix = env::get(&env::REDIS_PREFIX).unwrap_or_default();
        let rest = env::first(&[&env::UPSTASH_REDIS_REST_URL, &env::KV_REST_API_URL]);
        let token = env::first(&[&env::UPSTASH_REDIS_REST_TOKEN, &env::KV_REST_API_TOKEN]);
        let door = match (rest, token, env::first(&[&env::REDIS_URL, &env::KV_URL])) {
            (Some(url), Some(token), _) => {
                if !url.starts_with("https://") && !url.starts_with("http://") {
                    return Err(ConfigError::malformed(&env::UPSTASH_REDIS_REST_URL, "https://HOST"));
                }
                Door::Rest { url: url.trim_end_matches('/').to_owned(), token: Secret::new(token) }
            }
            (Some(_), None, None) => {
                return Err(ConfigError::missing(
                    &env::UPSTASH_REDIS_REST_TOKEN,
                    "the REST URL is of no use without it",
                ));
            }
            (_, _, Some(url)) => {
                if !url.starts_with("redis://") && !url.starts_with("rediss://") {
                    return Err(ConfigError::malformed(&env::REDIS_URL, "redis://HOST:PORT or rediss://HOST:PORT"));
                }
                let ca_cert = env::get(&env::REDIS_CA_CERT);
                if ca_cert.is_some() && url.starts_with("redis://") {
                    return Err(ConfigError::malformed(&env::REDIS_URL, "rediss://HOST:PORT, as REDIS_CA_CERT is set"));
                }
                Door::Tcp { url: Secret::new(url), ca_cert }
            }
            (None, _, None) => return Ok(None),
        };
        let deadline = match env::get(&env::REDIS_DEADLINE_MS) {
            None => DEADLINE,
            Some(text) => text
                .parse()
                .ok()
                .filter(|ms| (1..=10_000).contains(ms))
                .map(Duration::from_millis)
                .ok_or_else(|| ConfigError::malformed(&env::REDIS_DEADLINE_MS, "milliseconds from 1 to 10000"))?,
        };
        Ok(Some(Self { door, prefix, deadline }))
    }
}
