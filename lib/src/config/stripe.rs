//! Stripe: what is sold, and with which keys.

use super::{ConfigError, Secret};
use crate::env;

/// How Stripe is reached, and what is sold there.
#[derive(Clone, Debug)]
pub struct Stripe {
    /// The deployment's key.
    pub secret_key: Secret,
    /// What events are signed with; any of them. Empty: events are refused.
    pub webhook_secrets: Vec<Secret>,
    /// Prices of the pro plan: the first is sold, all of them count. Empty: nothing is sold.
    pub prices_pro: Vec<String>,
    /// Without a slash at its end.
    pub base_url: String,
}

impl Stripe {
    /// Reads the variables; `None` without a secret key.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        let base_url = env::get(&env::STRIPE_BASE_URL).unwrap_or_else(|| "https://api.stripe.com".to_owned());
        if !base_url.starts_with("https://") && !base_url.starts_with("http://") {
            return Err(ConfigError::malformed(&env::STRIPE_BASE_URL, "an http(s) URL"));
        }
        let webhook_secrets = list(&env::STRIPE_WEBHOOK_SECRET, "whsec_", "whsec_…, as the endpoint's page shows it")?;
        let prices_pro = list(&env::STRIPE_PRICE_PRO, "price_", "the id of a price, price_…")?;
        let Some(secret_key) = env::get(&env::STRIPE_SECRET_KEY) else { return Ok(None) };
        if !(secret_key.starts_with("sk_") || secret_key.starts_with("rk_")) || !is_word(&secret_key) {
            return Err(ConfigError::malformed(&env::STRIPE_SECRET_KEY, "a secret or restricted key, sk_… or rk_…"));
        }
        Ok(Some(Self {
            secret_key: Secret::new(secret_key),
            webhook_secrets: webhook_secrets.into_iter().map(Secret::new).collect(),
            prices_pro,
            base_url: base_url.trim_end_matches('/').to_owned(),
        }))
    }
}

fn list(var: &env::Var, prefix: &str, wanted: &str) -> Result<Vec<String>, ConfigError> {
    let all: Vec<_> = env::get(var).unwrap_or_default().split(',').map(|one| one.trim().to_owned()).collect();
    let all: Vec<_> = all.into_iter().filter(|one| !one.is_empty()).collect();
    match all.iter().all(|one| one.starts_with(prefix) && is_word(one)) {
        true => Ok(all),
        false => Err(ConfigError::malformed(var, wanted)),
    }
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}
