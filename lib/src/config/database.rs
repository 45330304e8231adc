//! Where conversations and the ledger are kept.

use std::path::PathBuf;

use super::{ConfigError, Secret, Stage};
use crate::env;

/// The folder of everything that development keeps.
pub const DEVELOPMENT_FOLDER: &str = ".purser";

/// Which engine, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// Postgres by URL.
    Postgres {
        /// `postgres://…`, which holds the password.
        url: Secret,
        /// Most connections of one instance.
        pool_max: usize,
        /// Authorities that are trusted in place of Mozilla's, as PEM; read where a connection is made.
        ca_cert: Option<String>,
    },
    /// One SQLite file.
    Sqlite {
        /// Where it is; made when missing.
        path: PathBuf,
    },
}

impl Database {
    /// Reads `DATABASE_URL`, else `POSTGRES_URL`; in development a SQLite file if neither is set.
    ///
    /// # Errors
    /// A sentence that names the variable.
    pub fn from_env(stage: Stage) -> Result<Self, ConfigError> {
        let Some(url) = env::first(&[&env::DATABASE_URL, &env::POSTGRES_URL]) else {
            if stage == Stage::Development && cfg!(sqlite) {
                return Ok(Self::Sqlite { path: PathBuf::from(DEVELOPMENT_FOLDER).join("purser.sqlite") });
            }
            return Err(ConfigError::missing(&env::DATABASE_URL, "the ledger needs Postgres outside development"));
        };
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            return match (stage, cfg!(sqlite)) {
                (Stage::Production, _) => Err(ConfigError::malformed(
                    &env::DATABASE_URL,
                    "Postgres in production: a file there does not last",
                )),
                (_, false) => Err(ConfigError::malformed(
                    &env::DATABASE_URL,
                    "Postgres in a release build without feature sqlite",
                )),
                _ if path.as_os_str().is_empty() => Err(ConfigError::malformed(&env::DATABASE_URL, "sqlite:PATH")),
                _ => Ok(Self::Sqlite { path }),
            };
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(ConfigError::malformed(&env::DATABASE_URL, "postgres://USER:PASSWORD@HOST/DB or sqlite:PATH"));
        }
        let pool_max = match env::get(&env::DATABASE_POOL_MAX) {
            None => 20,
            Some(text) => text
                .parse()
                .ok()
                .filter(|max| (1..=1_000).contains(max))
                .ok_or_else(|| ConfigError::malformed(&env::DATABASE_POOL_MAX, "a number from 1 to 1000"))?,
        };
        let ca_cert = env::get(&env::DATABASE_CA_CERT);
        if ca_cert.is_some() && url.contains("sslmode=disable") {
            return Err(ConfigError::malformed(
                &env::DATABASE_URL,
                "without sslmode=disable, as DATABASE_CA_CERT is set",
            ));
        }
        Ok(Self::Postgres { url: Secret::new(url), pool_max, ca_cert })
    }
}
