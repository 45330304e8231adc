//! Configuration, one struct per concern. A missing key turns a feature off; a malformed one stops the start
//! with a sentence that names it.

mod secret;

pub mod auth;
pub mod budgets;
pub mod cache;
pub mod claude;
pub mod database;
pub mod degraded;
pub mod edge;
pub mod plans;
pub mod stripe;

pub use secret::Secret;

use std::fmt;

use crate::{env, net::Authorities};

/// Everything a function is told from outside.
#[derive(Debug)]
pub struct Config {
    /// Where it runs.
    pub stage: Stage,
    /// Postgres or SQLite.
    pub database: database::Database,
    /// Redis, if there is one.
    pub cache: Option<cache::Cache>,
    /// What holds while Redis is away.
    pub degraded: degraded::Degraded,
    /// Claude's API.
    pub claude: claude::Claude,
    /// What may be spent.
    pub budgets: budgets::Budgets,
    /// Stripe, if there is a key.
    pub stripe: Option<stripe::Stripe>,
    /// Tokens and cookies.
    pub auth: auth::Auth,
    /// Origins and client addresses.
    pub edge: edge::Edge,
    /// Where faults are reported besides the log, if anywhere.
    pub sentry_dsn: Option<Secret>,
}

/// Where a function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `cargo run`, `vercel dev`, tests.
    Development,
    /// A preview deployment.
    Preview,
    /// The production deployment: nothing may be missing.
    Production,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// A sentence that names the variable that is malformed, or missing where it must not be.
    pub fn from_env() -> Result<Self, ConfigError> {
        let stage = match env::get(&env::VERCEL_ENV).as_deref() {
            None | Some("development") => Stage::Development,
            Some("preview") => Stage::Preview,
            Some("production") => Stage::Production,
            Some(_) => return Err(ConfigError::malformed(&env::VERCEL_ENV, "production, preview or development")),
        };
        let database = database::Database::from_env(stage)?;
        let cache = cache::Cache::from_env()?;
        if stage != Stage::Development && cache.is_none() {
            return Err(ConfigError::missing(&env::REDIS_URL, "limits must hold across instances"));
        }
        let auth = auth::Auth::from_env(stage, &database)?;
        Ok(Self {
            stage,
            database,
            cache,
            degraded: degraded::Degraded::from_env()?,
            claude: claude::Claude::from_env()?,
            budgets: budgets::Budgets::from_env()?,
            stripe: stripe::Stripe::from_env()?,
            auth,
            edge: edge::Edge::from_env()?,
            sentry_dsn: env::get(&env::SENTRY_DSN).map(Secret::new),
        })
    }
}

/// The authorities that a variable names, if it is set.
///
/// # Errors
/// A sentence that names the variable, where it holds anything but certificates.
pub fn authorities(var: &env::Var, pem: Option<&str>) -> Result<Option<Authorities>, ConfigError> {
    let wanted = "certificates in PEM, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----";
    let read = |pem| Authorities::from_pem(pem).ok_or_else(|| ConfigError::malformed(var, wanted));
    pem.map(read).transpose()
}

/// Why a process does not start.
#[derive(Debug)]
pub struct ConfigError(String);

impl ConfigError {
    /// A variable that is set but cannot be used.
    pub fn malformed(var: &env::Var, wanted: &str) -> Self {
        Self(format!("{} is malformed: it must be {wanted}.", var.name))
    }

    /// A variable that must be set here.
    pub fn missing(var: &env::Var, why: &str) -> Self {
        Self(format!("{} is missing: {why}.", var.name))
    }

    /// Something else that stops the start.
    pub fn other(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}
