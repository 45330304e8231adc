//! What can go wrong between a function and its Redis.

use std::fmt;

/// Why Redis did not do what was asked. Never carries an address, a token or a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheError {
    /// The address cannot be used; says what is wrong with it.
    Address(&'static str),
    /// No connection, or it broke.
    Unreachable(String),
    /// It has just failed, so it was not asked: see [`super::Cache::with_breaker`].
    Away,
    /// No answer in time. Whether the command ran is not known.
    Deadline,
    /// The store's own quota is used up. As good as down: never retry.
    Quota(String),
    /// The token or password is wrong.
    Auth,
    /// Redis refused the command, in its own words.
    Command(String),
    /// An answer that makes no sense.
    Protocol(String),
}

impl CacheError {
    /// Sorts an error that Redis or Upstash put into words.
    pub(super) fn from_server(text: &str) -> Self {
        // https://upstash.com/docs/redis/troubleshooting (2026-08): both arrive as command errors.
        let spent = ["max daily request limit exceeded", "max requests limit exceeded"];
        if spent.iter().any(|quota| text.contains(quota)) {
            Self::Quota(text.to_owned())
        } else if ["WRONGPASS", "NOAUTH"].iter().any(|code| text.starts_with(code)) {
            Self::Auth
        } else if ["LOADING", "MASTERDOWN", "CLUSTERDOWN"].iter().any(|code| text.starts_with(code)) {
            Self::Unreachable(text.to_owned())
        } else {
            Self::Command(text.to_owned())
        }
    }

    /// Whether nothing else would be answered either.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Away | Self::Deadline | Self::Quota(_) | Self::Auth)
    }

    /// Whether a script has to be sent in full.
    pub(super) fn is_unknown_script(&self) -> bool {
        matches!(self, Self::Command(text) if text.contains("NOSCRIPT"))
    }
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => write!(f, "the Redis address cannot be used: {text}"),
            Self::Unreachable(text) => write!(f, "Redis cannot be reached: {text}"),
            Self::Away => f.write_str("Redis has just failed and was not asked"),
            Self::Deadline => f.write_str("Redis did not answer in time"),
            Self::Quota(text) => write!(f, "the quota of Redis is used up: {text}"),
            Self::Auth => f.write_str("Redis refused the token or password"),
            Self::Command(text) => write!(f, "Redis refused the command: {text}"),
            Self::Protocol(text) => write!(f, "Redis answered nonsense: {text}"),
        }
    }
}

impl std::error::Error for CacheError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_quota_is_told_from_a_refused_command() {
        let quota = "ERR max daily request limit exceeded. Limit: 500000, Usage: 500000.";
        assert_eq!(CacheError::from_server(quota), CacheError::Quota(quota.to_owned()));
        assert!(matches!(CacheError::from_server("ERR max requests limit exceeded"), CacheError::Quota(_)));
        assert!(matches!(CacheError::from_server("ERR max request size exceeded"), CacheError::Command(_)));
        assert_eq!(CacheError::from_server("WRONGPASS invalid or missing auth token"), CacheError::Auth);
        assert!(CacheError::from_server("LOADING Redis is loading the dataset in memory").is_outage());
        assert!(CacheError::from_server("NOSCRIPT No matching script.").is_unknown_script());
    }
}
