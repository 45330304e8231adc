//! What holds while Redis is away.

use super::{ConfigError, Secret};
use crate::env;

/// How many instances are taken to be running where nobody says it.
const EXPECTED_INSTANCES: u64 = 4;

/// What holds while Redis is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// Every instance allows this part of a caller's windows and slots.
    pub expected_instances: u64,
    /// Who is told, by a POST; the URL is as good as a password.
    pub alert_webhook_url: Option<Secret>,
}

impl Degraded {
    /// Reads the variables.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let expected_instances = match env::get(&env::EXPECTED_INSTANCES) {
            None => EXPECTED_INSTANCES,
            Some(text) => {
                let number = text.parse().ok().filter(|number| (1..=100_000).contains(number));
                number.ok_or_else(|| ConfigError::malformed(&env::EXPECTED_INSTANCES, "a number from 1 to 100000"))?
            }
        };
        let url = env::get(&env::ALERT_WEBHOOK_URL);
        if url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            return Err(ConfigError::malformed(&env::ALERT_WEBHOOK_URL, "an http(s) URL"));
        }
        Ok(Self { expected_instances, alert_webhook_url: url.map(Secret::new) })
    }
}
