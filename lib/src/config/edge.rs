//! What lies between a client and a function.

use super::ConfigError;
use crate::{env, http::client_address::AddressSource};

/// Origins and client addresses.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Origins that browsers may call from besides the deployment's own.
    pub allowed_origins: Vec<String>,
    /// Which headers tell the client's address.
    pub address_source: AddressSource,
}

impl Edge {
    /// Reads the variables.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut allowed_origins = Vec::new();
        for origin in env::get(&env::ALLOWED_ORIGINS).unwrap_or_default().split(',').map(str::trim) {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            match host {
                _ if origin.is_empty() => {}
                Some(host) if !host.is_empty() && !host.contains(['/', '*']) => allowed_origins.push(origin.to_owned()),
                _ => {
                    return Err(ConfigError::malformed(
                        &env::ALLOWED_ORIGINS,
                        "origins such as https://app.example, without path or wildcard",
                    ));
                }
            }
        }
        let on = |var| env::get(var).is_some_and(|value| value == "1");
        let address_source = if on(&env::VERCEL) || on(&env::VERCEL_DEV) {
            AddressSource::Vercel
        } else if on(&env::TRUST_PROXY) {
            AddressSource::Proxy
        } else {
            AddressSource::Socket
        };
        Ok(Self { allowed_origins, address_source })
    }
}
