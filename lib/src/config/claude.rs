//! Claude's API.

use super::{ConfigError, Secret};
use crate::{cost, env};

/// Where Claude is, and with which key.
#[derive(Clone, Debug)]
pub struct Claude {
    /// The deployment's key; without it no call starts.
    pub api_key: Option<Secret>,
    /// Without a slash at its end.
    pub base_url: String,
    /// Models that this deployment may use; `None` means every model that a plan names.
    pub models: Option<Vec<String>>,
    /// Age at which a call that nobody has settled counts as dead, in milliseconds: no function lives so long.
    pub dead_after_ms: u64,
}

/// The platform's `maxDuration` in vercel.json.
const FUNCTION_MAX_S: u64 = 300;

impl Claude {
    /// Reads the variables and checks that every listed model has a price.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let base_url = env::get(&env::CLAUDE_BASE_URL).unwrap_or_else(|| "https://api.anthropic.com".to_owned());
        if !base_url.starts_with("https://") && !base_url.starts_with("http://") {
            return Err(ConfigError::malformed(&env::CLAUDE_BASE_URL, "an http(s) URL"));
        }
        let models = env::get(&env::CLAUDE_MODELS)
            .map(|list| list.split(',').map(|model| model.trim().to_owned()).filter(|m| !m.is_empty()).collect());
        for model in models.iter().flatten() {
            let model: &String = model;
            if cost::find(model).is_none() {
                return Err(ConfigError::malformed(
                    &env::CLAUDE_MODELS,
                    &format!("a list of models with a known price, and {model} has none"),
                ));
            }
        }
        let dead_after_s = match env::get(&env::RECONCILE_AFTER_S) {
            None => FUNCTION_MAX_S,
            Some(text) => text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds)).ok_or_else(|| {
                ConfigError::malformed(&env::RECONCILE_AFTER_S, "a number of seconds from 1 to 86400")
            })?,
        };
        Ok(Self {
            dead_after_ms: dead_after_s * 1_000,
            api_key: env::first(&[&env::CLAUDE_API_KEY, &env::ANTHROPIC_API_KEY]).map(Secret::new),
            base_url: base_url.trim_end_matches('/').to_owned(),
            models,
        })
    }
}
