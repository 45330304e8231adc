//! What stands behind the functions: the run's own Postgres and Redis, or given ones.

use tokio::sync::Mutex;

use super::{folder::Folder, postgres::Postgres, redis::Redis};

/// Postgres and Redis of a run.
#[derive(Debug)]
pub(super) struct Backing {
    postgres_url: String,
    redis_url: String,
    postgres: Option<Mutex<Postgres>>,
    redis: Option<Mutex<Redis>>,
}

impl Backing {
    /// Starts what is not given.
    pub(super) async fn start(
        folder: &Folder,
        postgres_url: Option<String>,
        redis_url: Option<String>,
    ) -> Result<Self, String> {
        let postgres = match &postgres_url {
            Some(_) => None,
            None => Some(Postgres::start(&folder.shared("postgres")?).await?),
        };
        let redis = match &redis_url {
            Some(_) => None,
            None => Some(Redis::start(&folder.shared("redis")?).await?),
        };
        Ok(Self {
            postgres_url: postgres_url.or_else(|| postgres.as_ref().map(Postgres::url)).unwrap_or_default(),
            redis_url: redis_url.or_else(|| redis.as_ref().map(Redis::url)).unwrap_or_default(),
            postgres: postgres.map(Mutex::new),
            redis: redis.map(Mutex::new),
        })
    }

    /// What a scenario left broken because it failed itself is whole again.
    pub(super) async fn mend(&self) -> Result<(), String> {
        if let Some(redis) = &self.redis {
            redis.lock().await.mend().await?;
        }
        if let Some(postgres) = &self.postgres {
            postgres.lock().await.mend().await?;
        }
        Ok(())
    }

    pub(super) fn postgres_url(&self) -> &str {
        &self.postgres_url
    }

    pub(super) fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// Our own Postgres; a given one is nobody's to crash.
    pub(super) fn postgres(&self) -> Option<&Mutex<Postgres>> {
        self.postgres.as_ref()
    }

    /// Our own Redis; a given one is nobody's to stop.
    pub(super) fn redis(&self) -> Option<&Mutex<Redis>> {
        self.redis.as_ref()
    }
}
