//! The process's handles: made on first use, kept for good, shared by all requests of an instance. They live in
//! statics of the functions that make them, so a route that never calls one links nothing of it.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use super::{Ctx, alert};
use crate::{
    Code, Error, auth,
    books::{Books, Outbox},
    cache::Cache,
    claude::Claude,
    config::{Config, ConfigError, authorities, cache::Door, database::Database},
    cost::hashes::UsageHashes,
    limit::Limiter,
    observe::sentry,
    recording::Recordings,
    store::{PostgresOptions, Store},
};

/// Routes that only answer from memory.
///
/// # Errors
/// Never.
pub fn start_nothing(_: &'static Config) -> Result<(), ConfigError> {
    Ok(())
}

/// Routes that read and write the store: checks its URL and opens one connection in the background.
///
/// # Errors
/// A sentence that names the variable.
pub fn start_store(config: &'static Config) -> Result<(), ConfigError> {
    sentry::start(config)?;
    let store = store(config)?;
    in_background(store.warm());
    Ok(())
}

/// Routes that also take or read limits: the limiter's connection as well.
///
/// # Errors
/// A sentence that names the variable.
pub fn start_store_and_limiter(config: &'static Config) -> Result<(), ConfigError> {
    start_store(config)?;
    limiter(config)?;
    if let Some(cache) = cache(config)? {
        in_background(cache.warm());
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "belongs to the process, not to a request")]
fn in_background(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

/// Returns what is there, or makes it; a race makes it twice and keeps the first.
fn once<T>(
    cell: &'static OnceLock<T>,
    make: impl FnOnce() -> Result<T, ConfigError>,
) -> Result<&'static T, ConfigError> {
    match cell.get() {
        Some(made) => Ok(made),
        None => make().map(|made| cell.get_or_init(|| made)),
    }
}

fn store(config: &'static Config) -> Result<&'static Store, ConfigError> {
    static STORE: OnceLock<Store> = OnceLock::new();
    once(&STORE, || match &config.database {
        Database::Postgres { url, pool_max, ca_cert } => {
            let authorities = authorities(&crate::env::DATABASE_CA_CERT, ca_cert.as_deref())?;
            let options = PostgresOptions { pool_max: *pool_max, authorities, ..PostgresOptions::default() };
            Store::postgres(url.expose(), options)
                .map_err(|_| ConfigError::malformed(&crate::env::DATABASE_URL, "postgres://USER:PASSWORD@HOST/DB"))
        }
        #[cfg(sqlite)]
        Database::Sqlite { path } => Ok(Store::sqlite(sqlite(path)?.clone())),
        #[cfg(not(sqlite))]
        Database::Sqlite { .. } => Err(ConfigError::malformed(&crate::env::DATABASE_URL, "Postgres in this build")),
    })
}

#[cfg(sqlite)]
fn sqlite(path: &std::path::Path) -> Result<&'static crate::sqlite::Sqlite, ConfigError> {
    static SQLITE: OnceLock<crate::sqlite::Sqlite> = OnceLock::new();
    once(&SQLITE, || {
        crate::sqlite::Sqlite::open(path).map_err(|error| {
            ConfigError::other(format!("The SQLite file {} cannot be opened: {error}.", path.display()))
        })
    })
}

fn cache(config: &'static Config) -> Result<Option<&'static Cache>, ConfigError> {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    let Some(settings) = &config.cache else { return Ok(None) };
    once(&CACHE, || {
        let cache = match &settings.door {
            Door::Tcp { url, ca_cert } => {
                let authorities = authorities(&crate::env::REDIS_CA_CERT, ca_cert.as_deref())?;
                Cache::tcp_trusting(url.expose(), &settings.prefix, authorities.as_ref()).map_err(|_| {
                    ConfigError::malformed(&crate::env::REDIS_URL, "redis://HOST:PORT or rediss://HOST:PORT")
                })
            }
            Door::Rest { url, token } => Cache::upstash(url, token.expose(), &settings.prefix)
                .map_err(|_| ConfigError::malformed(&crate::env::UPSTASH_REDIS_REST_URL, "https://HOST")),
        };
        Ok(cache?.with_deadline(settings.deadline).with_breaker(move |change| alert::tell(config, change)))
    })
    .map(Some)
}

fn limiter(config: &'static Config) -> Result<&'static Limiter, ConfigError> {
    static LIMITER: OnceLock<Limiter> = OnceLock::new();
    once(&LIMITER, || match (cache(config)?, &config.database) {
        (Some(cache), _) => Ok(Limiter::redis(cache.clone())),
        // Without Redis, development keeps its limits in the SQLite file: `vercel dev` starts a process a request.
        #[cfg(sqlite)]
        (None, Database::Sqlite { path }) => Ok(Limiter::sqlite(sqlite(path)?.clone())),
        (None, _) => Err(ConfigError::missing(&crate::env::REDIS_URL, "limits must hold across instances")),
    })
}

fn hashes(config: &'static Config) -> Result<&'static UsageHashes, ConfigError> {
    static HASHES: OnceLock<UsageHashes> = OnceLock::new();
    once(&HASHES, || match (cache(config)?, &config.database) {
        (Some(cache), _) => Ok(UsageHashes::Redis(cache.clone())),
        #[cfg(sqlite)]
        (None, Database::Sqlite { path }) => Ok(UsageHashes::sqlite(sqlite(path)?.clone())),
        (None, _) => Err(ConfigError::missing(&crate::env::REDIS_URL, "usage hashes are kept there")),
    })
}

fn recordings(config: &'static Config) -> Result<&'static Recordings, ConfigError> {
    static RECORDINGS: OnceLock<Recordings> = OnceLock::new();
    once(&RECORDINGS, || match (cache(config)?, &config.database) {
        (Some(cache), _) => Ok(Recordings::Redis(cache.clone())),
        #[cfg(sqlite)]
        (None, Database::Sqlite { path }) => Ok(Recordings::sqlite(sqlite(path)?.clone())),
        (None, _) => Err(ConfigError::missing(&crate::env::REDIS_URL, "answers are followed across instances")),
    })
}

/// The ledger and its copies, as a configuration says where they are. Opens nothing.
///
/// # Errors
/// A sentence that names the variable.
pub fn books(config: &'static Config) -> Result<Books, ConfigError> {
    Ok(Books {
        store: store(config)?.clone(),
        limiter: limiter(config)?.clone(),
        hashes: hashes(config)?.clone(),
        outbox: cache(config)?.cloned().map(Outbox::new),
        budgets: config.budgets.clone(),
        dead_after_ms: config.claude.dead_after_ms,
        tell: Arc::new(move |call, budget| alert::tell_overspent(config, call, budget)),
    })
}

impl Ctx {
    /// The store, its tables in place.
    ///
    /// # Errors
    /// `internal` where the configuration was not checked at the start.
    pub async fn store(&self) -> Result<&'static Store, Error> {
        let store = store(self.config()).map_err(Error::internal)?;
        #[cfg(sqlite)]
        if matches!(store, Store::Sqlite(_)) {
            // Production migrates before it deploys; development has nobody to do it.
            static MIGRATED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
            MIGRATED.get_or_try_init(|| async { store.migrate().await.map(drop) }).await?;
        }
        Ok(store)
    }

    /// The limiter.
    ///
    /// # Errors
    /// `internal` where the configuration was not checked at the start.
    pub fn limiter(&self) -> Result<&'static Limiter, Error> {
        limiter(self.config()).map_err(Error::internal)
    }

    /// Whether Redis, where the limiter is, does not answer at the moment.
    pub(super) fn is_limiter_away(&self) -> bool {
        cache(self.config()).is_ok_and(|cache| cache.is_some_and(Cache::is_away))
    }

    /// Asks now whether Redis is back, where it is away.
    pub(super) async fn knock_at_limiter(&self) {
        if let Ok(Some(cache)) = cache(self.config()) {
            cache.knock().await;
        }
    }

    /// The ledger and its copies.
    ///
    /// # Errors
    /// `store_unavailable` where development's tables cannot be made; `internal` where the configuration was not
    /// checked at the start.
    pub async fn books(&self) -> Result<Books, Error> {
        self.store().await?;
        books(self.config()).map_err(Error::internal)
    }

    /// Where running answers are written down.
    ///
    /// # Errors
    /// `internal` where the configuration was not checked at the start.
    pub(super) fn recordings(&self) -> Result<&'static Recordings, Error> {
        recordings(self.config()).map_err(Error::internal)
    }

    /// Claude's client.
    ///
    /// # Errors
    /// `claude_misconfigured` where the deployment has no key.
    pub fn claude(&self) -> Result<&'static Claude, Error> {
        static CLAUDE: OnceLock<Claude> = OnceLock::new();
        if let Some(claude) = CLAUDE.get() {
            return Ok(claude);
        }
        let config = &self.config().claude;
        let key = config.api_key.clone().ok_or_else(|| {
            Error::new(
                Code::ClaudeMisconfigured,
                "This deployment has no key for Claude. Its owner can set CLAUDE_API_KEY.",
            )
        })?;
        Ok(CLAUDE.get_or_init(|| Claude::new(&config.base_url, key)))
    }

    /// The team's identity provider, if there is one.
    pub(super) fn issuer(&self) -> Option<&'static auth::Issuer> {
        static ISSUER: OnceLock<Option<auth::Issuer>> = OnceLock::new();
        ISSUER.get_or_init(|| self.config().auth.provider.clone().map(auth::Issuer::new)).as_ref()
    }

    /// The verifier of bearer tokens.
    pub(super) fn verifier(&self) -> &'static auth::Verifier {
        static VERIFIER: OnceLock<auth::Verifier> = OnceLock::new();
        VERIFIER.get_or_init(|| auth::Verifier::new(&self.config().auth))
    }
}
