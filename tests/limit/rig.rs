//! The four backends, each on a prefix or file of its own, with a clock that the test moves.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use purser::{
    cache::Cache,
    ids::CallId,
    limit::{Ask, Clock, Decision, Limiter, Policy, Standing},
    sqlite::Sqlite,
};
use purser_tests::{services, upstash::UpstashDouble};

/// When the tests begin.
pub(crate) const START_MS: i64 = 1_800_000_000_000;
/// How long holds live here.
pub(crate) const HOLD_MS: i64 = 60_000;
/// Enough for a busy machine.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);

pub(crate) struct Rig {
    pub(crate) name: &'static str,
    pub(crate) limiter: Limiter,
    clock: Arc<AtomicI64>,
    place: Place,
}

/// Where the backend keeps its state, for those who look behind its back.
enum Place {
    Redis { prefix: String, _double: Option<UpstashDouble> },
    File(SqliteFile),
    Memory,
}

/// A database file, removed in the end.
pub(crate) struct SqliteFile(PathBuf);

impl SqliteFile {
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(services::unique("limit")).with_extension("sqlite"))
    }

    /// Another connection, as another process has one.
    pub(crate) fn open(&self) -> Sqlite {
        Sqlite::open(&self.0).unwrap()
    }
}

impl Drop for SqliteFile {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(suffix);
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Rig {
    /// All four.
    pub(crate) async fn all() -> Vec<Self> {
        let prefix = || format!("{}:", services::unique("limit"));
        let (tcp, upstash) = (prefix(), prefix());
        let double = UpstashDouble::start(&services::redis_url()).await.unwrap();
        let file = SqliteFile::new();
        let tcp_cache = Cache::tcp(&services::redis_url(), &tcp).unwrap().with_deadline(PATIENT);
        let upstash_cache = Cache::upstash(double.url(), double.token(), &upstash).unwrap().with_deadline(PATIENT);
        let sqlite = Limiter::sqlite(file.open());
        vec![
            Self::new("redis", Limiter::redis(tcp_cache), Place::Redis { prefix: tcp, _double: None }),
            Self::new(
                "upstash",
                Limiter::redis(upstash_cache),
                Place::Redis { prefix: upstash, _double: Some(double) },
            ),
            Self::new("sqlite", sqlite, Place::File(file)),
            Self::new("memory", Limiter::memory(10_000), Place::Memory),
        ]
    }

    fn new(name: &'static str, limiter: Limiter, place: Place) -> Self {
        let clock = Arc::new(AtomicI64::new(START_MS));
        Self { name, limiter: limiter.with_clock(Clock::Fixed(clock.clone())), clock, place }
    }

    /// The same backend by its own clock.
    pub(crate) fn by_store_clock(&self) -> Limiter {
        self.limiter.clone().with_clock(Clock::Store)
    }

    /// The time, in milliseconds after the start.
    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst) - START_MS
    }

    /// Sets the time, in milliseconds after the start.
    pub(crate) fn at(&self, ms: i64) {
        self.clock.store(START_MS + ms, Ordering::SeqCst);
    }

    /// A new call asks.
    pub(crate) async fn ask(&self, policies: &[Policy], hold_nanousd: i64) -> (CallId, Decision) {
        let call_id = CallId::new();
        let decision = self.ask_as(&call_id, policies, hold_nanousd).await;
        (call_id, decision)
    }

    pub(crate) async fn ask_as(&self, call_id: &CallId, policies: &[Policy], hold_nanousd: i64) -> Decision {
        let hold_ttl_ms = u64::try_from(HOLD_MS).unwrap();
        let ask = Ask { call_id, identity: None, policies, hold_nanousd, hold_ttl_ms };
        self.limiter.reserve(&ask).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Whether a new call is admitted.
    pub(crate) async fn admits(&self, policies: &[Policy], hold_nanousd: i64) -> bool {
        self.ask(policies, hold_nanousd).await.1.is_admitted()
    }

    pub(crate) async fn settle(&self, call_id: &CallId, policies: &[Policy], actual_nanousd: i64) {
        self.limiter.settle(call_id, policies, actual_nanousd).await.unwrap();
    }

    pub(crate) async fn release(&self, call_id: &CallId, policies: &[Policy]) {
        self.limiter.release(call_id, policies).await.unwrap();
    }

    pub(crate) async fn peek(&self, policies: &[Policy]) -> Vec<Standing> {
        self.limiter.peek(policies).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Remaining and reset of one policy.
    pub(crate) async fn left(&self, policy: &Policy) -> (u64, Option<u64>) {
        let standing = self.peek(std::slice::from_ref(policy)).await.remove(0);
        (standing.remaining, standing.reset_ms)
    }

    /// A key behind the limiter's back.
    pub(crate) fn redis_key(&self, name: &str) -> String {
        match &self.place {
            Place::Redis { prefix, .. } => format!("{prefix}{name}"),
            Place::File(_) | Place::Memory => panic!("{} has no keys", self.name),
        }
    }

    /// Everything that the backend has written.
    pub(crate) async fn dump(&self) -> Vec<String> {
        match &self.place {
            Place::Redis { prefix, .. } => dump_redis(prefix).await,
            Place::File(file) => dump_sqlite(file).await,
            Place::Memory => {
                let all = format!("{:?}", self.limiter);
                // The clock is the test's.
                all.split(", clock").next().map(str::to_owned).into_iter().collect()
            }
        }
    }
}

pub(crate) async fn redis_connection() -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(services::redis_url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

pub(crate) async fn redis_keys(prefix: &str) -> Vec<String> {
    let mut connection = redis_connection().await;
    let mut keys: Vec<String> =
        redis::cmd("KEYS").arg(format!("{prefix}*")).query_async(&mut connection).await.unwrap();
    keys.sort();
    keys
}

async fn dump_redis(prefix: &str) -> Vec<String> {
    let mut connection = redis_connection().await;
    let mut lines = Vec::new();
    for key in redis_keys(prefix).await {
        let value: Option<Vec<u8>> = redis::cmd("DUMP").arg(&key).query_async(&mut connection).await.unwrap();
        lines.push(format!("{key} {value:?}"));
    }
    lines
}

async fn dump_sqlite(file: &SqliteFile) -> Vec<String> {
    let db = file.open();
    let rows = db.run(|connection| {
        let mut lines = Vec::new();
        for table in ["limit_entries", "limit_budgets", "limit_calls", "limit_identities"] {
            let mut statement = connection.prepare(&format!("select * from {table}"))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let cells: Result<Vec<rusqlite::types::Value>, _> = (0..columns).map(|i| row.get(i)).collect();
                lines.push(format!("{table} {:?}", cells?));
            }
        }
        Ok(lines)
    });
    rows.await.unwrap()
}

pub(crate) fn window(name: &str, limit: u64, window_ms: u64) -> Policy {
    Policy::Window { name: name.to_owned(), subject: "user:1".to_owned(), limit, window_ms }
}

/// Resets ten minutes after the start.
pub(crate) fn budget(name: &str, limit_nanousd: i64) -> Policy {
    let resets_at_ms = START_MS + 600_000;
    Policy::Budget { name: name.to_owned(), subject: "user:1:2027-01".to_owned(), limit_nanousd, resets_at_ms }
}

pub(crate) fn in_flight(name: &str, limit: u64) -> Policy {
    Policy::InFlight { name: name.to_owned(), subject: "user:1".to_owned(), limit }
}
