use std::time::Duration;

use purser::{
    sqlite::Sqlite,
    store::{PostgresOptions, Store},
};
use purser_tests::{deployment, services};

/// The engines that the contract holds for.
pub(crate) const ALL: [Engine; 3] = [Engine::Sqlite, Engine::Postgres, Engine::PgBouncer];

#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    PgBouncer,
}

impl Engine {
    /// A URL of its own, with nothing in it yet.
    pub(crate) async fn url(self) -> String {
        let name = services::unique("store");
        match self {
            Self::Sqlite => std::env::temp_dir().join(name).join("a.sqlite").display().to_string(),
            Self::Postgres => deployment::schema(&name).await,
            // A pooler in transaction mode keeps no search_path: a database of one's own instead of a schema.
            Self::PgBouncer => {
                let url = services::postgres_url();
                let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
                let connection = tokio::spawn(connection);
                client.batch_execute(&format!("create database {name}")).await.unwrap();
                drop(client);
                connection.await.unwrap().unwrap();
                services::pgbouncer_url().replace("/postgres", &format!("/{name}"))
            }
        }
    }

    /// A store behind a URL.
    pub(crate) fn open(self, url: &str) -> Store {
        match self {
            Self::Sqlite => Store::sqlite(Sqlite::open(url.as_ref()).unwrap()),
            // Patient: a busy machine must not look like a fault.
            _ => Store::postgres(url, PostgresOptions { wait_max: Duration::from_secs(20), ..options(8) }).unwrap(),
        }
    }

    /// A store with its tables.
    pub(crate) async fn migrated(self) -> Store {
        let store = self.open(&self.url().await);
        store.migrate().await.unwrap();
        store
    }
}

pub(crate) fn options(pool_max: usize) -> PostgresOptions {
    PostgresOptions { pool_max, wait_max: Duration::from_millis(300), ..PostgresOptions::default() }
}
