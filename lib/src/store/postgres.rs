//! Postgres: a small lazy pool, unnamed typed statements (so that transaction poolers work), pipelined transactions.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures_util::future::{join_all, join3};
use tokio_postgres::{
    error::SqlState,
    types::{ToSql, Type},
};

use super::{Constraint, Row, Statement, StoreError, Value};
use crate::clock;

/// Connections that have not been used for so long are thrown away: an instance is frozen between requests, its
/// timers stand still, and what it thaws with may be dead.
const IDLE_MAX_MS: i64 = 10_000;

/// The pool's figures.
#[derive(Clone, Copy, Debug)]
pub struct PostgresOptions {
    /// Most connections of this process.
    pub pool_max: usize,
    /// How long a request waits for a free connection.
    pub wait_max: Duration,
    /// How long a statement or transaction may take.
    pub answer_max: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { pool_max: 20, wait_max: Duration::from_secs(2), answer_max: Duration::from_secs(8) }
    }
}

/// A Postgres pool that opens nothing before it is used.
#[derive(Clone)]
pub struct PostgresStore {
    config: Arc<tokio_postgres::Config>,
    options: PostgresOptions,
    pool: Arc<OnceLock<Pool>>,
    used_ms: Arc<AtomicI64>,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("options", &self.options).finish_non_exhaustive()
    }
}

impl PostgresStore {
    pub(super) fn new(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let mut config: tokio_postgres::Config = known_modes(url).parse().map_err(|_| StoreError::Malformed)?;
        config.connect_timeout(Duration::from_secs(5));
        config.keepalives_idle(Duration::from_secs(30));
        config.application_name("purser");
        Ok(Self {
            config: Arc::new(config),
            options,
            pool: Arc::default(),
            used_ms: Arc::new(AtomicI64::new(i64::MAX)),
        })
    }

    pub(super) async fn warm(&self) {
        let _ = self.connection().await;
    }

    pub(super) async fn rows(&self, statement: &Statement) -> Result<Vec<Row>, StoreError> {
        let attempt = self.try_rows(statement).await;
        let attempt = if self.was_cut_off(&attempt) { self.try_rows(statement).await } else { attempt };
        self.was_cut_off(&attempt);
        attempt.map_err(|error| error.told)
    }

    pub(super) async fn atomic(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, StoreError> {
        let attempt = self.try_atomic(statements).await;
        // A connection that died while the instance was frozen. Every write of ours is keyed by an id made before
        // it, so a second attempt cannot write twice: at worst it finds its key taken.
        let attempt = if self.was_cut_off(&attempt) { self.try_atomic(statements).await } else { attempt };
        self.was_cut_off(&attempt);
        attempt.map_err(|error| error.told)
    }

    /// Runs statements that take no values, such as a migration, as one simple query.
    pub(super) async fn script(&self, sql: &str) -> Result<(), StoreError> {
        let connection = self.connection().await.map_err(|error| error.told)?;
        let done = connection.batch_execute(sql).await;
        if done.is_err() {
            // A script that fails stops before its own end of transaction.
            let _ = connection.batch_execute("rollback").await;
        }
        done.map_err(|error| Attempt::failed(&error).told)
    }

    /// Whether an attempt failed because its connection was ended. The idle ones were as well, then, as where the server
    /// was restarted: they are let go, or the next attempt would come upon another of them.
    fn was_cut_off<T>(&self, attempt: &Result<T, Attempt>) -> bool {
        let is_closed = matches!(attempt, Err(error) if error.is_closed);
        if let Some(pool) = self.pool.get().filter(|_| is_closed) {
            pool.retain(|_, _| false);
        }
        is_closed
    }

    async fn try_rows(&self, statement: &Statement) -> Result<Vec<Row>, Attempt> {
        let connection = self.connection().await?;
        let rows = self.in_time(query(&connection, statement)).await?;
        self.used();
        rows
    }

    /// Everything is written before the first answer is awaited: one round trip. Where a statement fails, the
    /// server takes the closing COMMIT for a ROLLBACK, so the connection goes back clean.
    async fn try_atomic(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Attempt> {
        let connection = self.connection().await?;
        let work = join3(
            connection.batch_execute("begin"),
            join_all(statements.iter().map(|statement| query(&connection, statement))),
            connection.batch_execute("commit"),
        );
        let (begun, results, committed) = self.in_time(work).await?;
        self.used();
        begun.map_err(|error| Attempt::failed(&error))?;
        let rows = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        // Until here everything was undone. That a commit was not confirmed says nothing about it.
        committed.map_err(|error| Attempt { told: unknown(&error), ..Attempt::failed(&error) })?;
        Ok(rows)
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, Attempt> {
        tokio::time::timeout(self.options.answer_max, work).await.map_err(|_| Attempt::unknown("no answer in time"))
    }

    async fn connection(&self) -> Result<Object, Attempt> {
        let pool = self.pool()?;
        if clock::now_ms().saturating_sub(self.used_ms.load(Ordering::Relaxed)) > IDLE_MAX_MS {
            pool.retain(|_, _| false);
        }
        self.used();
        pool.get().await.map_err(|error| match error {
            PoolError::Timeout(_) => Attempt::unavailable("no connection free in time"),
            // The server's own words can quote the role or the database's name.
            PoolError::Backend(error) => Attempt::unavailable(&format!("no connection: {:?}", error.code())),
            _ => Attempt::unavailable("no connection"),
        })
    }

    fn used(&self) {
        self.used_ms.store(clock::now_ms(), Ordering::Relaxed);
    }

    fn pool(&self) -> Result<&Pool, Attempt> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool);
        }
        let tls = tokio_postgres_rustls::MakeRustlsConnect::new((*crate::net::tls_config()).clone());
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config((*self.config).clone(), tls, recycling);
        let pool = Pool::builder(manager)
            .max_size(self.options.pool_max)
            .wait_timeout(Some(self.options.wait_max))
            .create_timeout(Some(self.options.answer_max))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| Attempt::unavailable("no pool"))?;
        Ok(self.pool.get_or_init(|| pool))
    }
}

/// The URL with modes of TLS that the client knows. Wherever there is TLS, the certificate and its host are checked, so
/// libpq's stricter modes ask for what `require` does here.
fn known_modes(url: &str) -> String {
    url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require")
}

/// A failed attempt, and whether the connection had gone.
struct Attempt {
    told: StoreError,
    is_closed: bool,
}

fn unknown(error: &tokio_postgres::Error) -> StoreError {
    let code = error.code().map_or("the connection broke", SqlState::code);
    StoreError::Unknown(code.to_owned())
}

impl Attempt {
    fn unknown(why: &str) -> Self {
        Self { told: StoreError::Unknown(why.to_owned()), is_closed: false }
    }

    fn unavailable(why: &str) -> Self {
        Self { told: StoreError::Unavailable(why.to_owned()), is_closed: false }
    }

    fn failed(error: &tokio_postgres::Error) -> Self {
        let told = match error.code() {
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => StoreError::Refused(Constraint::Unique),
            Some(code) if *code == SqlState::NOT_NULL_VIOLATION => {
                let column = error.as_db_error().and_then(|error| error.column());
                StoreError::Refused(Constraint::of_column(column))
            }
            Some(code) if *code == SqlState::CHECK_VIOLATION => StoreError::Refused(Constraint::Check),
            Some(code) if code.code().starts_with("23") => StoreError::Refused(Constraint::Other),
            // Shutting down, starting up, out of connections or of memory: it may be there again in a moment.
            Some(code) if ["57", "53", "08"].iter().any(|class| code.code().starts_with(class)) => {
                StoreError::Unavailable(format!("Postgres answered {}", code.code()))
            }
            Some(code) => StoreError::Failed(format!("Postgres answered {}", code.code())),
            None => unknown(error),
        };
        // 57P01: an administrator ended the connection.
        let is_closed = error.is_closed() || error.code() == Some(&SqlState::ADMIN_SHUTDOWN);
        Self { told, is_closed }
    }
}

async fn query(connection: &Object, statement: &Statement) -> Result<Vec<Row>, Attempt> {
    let params: Vec<_> = statement.params.iter().map(typed).collect();
    let rows = connection.query_typed(statement.sql, &params).await.map_err(|error| Attempt::failed(&error))?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|told| Attempt { told, is_closed: false })
}

fn typed(value: &Value) -> (&(dyn ToSql + Sync), Type) {
    match value {
        Value::Int(value) => (value, Type::INT8),
        Value::Text(value) => (value, Type::TEXT),
        Value::Bytes(value) => (value, Type::BYTEA),
    }
}

fn read(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let columns = row.columns().iter().enumerate().map(|(at, column)| match *column.type_() {
        Type::INT8 => row.try_get(at).map(Value::Int),
        Type::TEXT | Type::VARCHAR => row.try_get(at).map(Value::Text),
        _ => row.try_get(at).map(Value::Bytes),
    });
    columns.collect::<Result<_, _>>().map(Row).map_err(|error| StoreError::Failed(error.to_string()))
}
