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
    limit::{Ask, Clock, Decision, Limiter, Opening, Policy, Reading, Standing},
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
        let ask = Ask { call_id, identity: None, policies, hold_nanousd, slot_ttl_ms: hold_ttl_ms, hold_ttl_ms };
        self.limiter.reserve(&ask).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Asks with a slot that lives shorter than the hold.
    pub(crate) async fn ask_for(&self, call_id: &CallId, policies: &[Policy], hold: i64, slot_ttl_ms: u64) -> Decision {
        let hold_ttl_ms = u64::try_from(HOLD_MS).unwrap();
        let ask = Ask { call_id, identity: None, policies, hold_nanousd: hold, slot_ttl_ms, hold_ttl_ms };
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
        standings(self.limiter.peek(policies).await.unwrap_or_else(|error| panic!("{}: {error}", self.name)))
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

/// Opens budgets of which the ledger knows nothing.
pub(crate) async fn open(limiter: &Limiter, policies: &[Policy]) {
    for policy in policies.iter().filter(|policy| policy.is_budget()) {
        let opening = Opening { policy: policy.clone(), settled_nanousd: 0, settling: Vec::new(), running: Vec::new() };
        limiter.open(&opening).await.unwrap();
    }
}

/// The standings of a look that nothing kept from being had.
pub(crate) fn standings(reading: Reading) -> Vec<Standing> {
    match reading {
        Reading::Standings(standings) => standings,
        other => panic!("{other:?}"),
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
        for table in ["limit_entries", "limit_budgets", "limit_identities", "limit_markers"] {
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

/// Begins with the tests and resets ten minutes later.
pub(crate) fn budget(name: &str, limit_nanousd: i64) -> Policy {
    budget_of("user:1:2027-01", name, limit_nanousd, START_MS)
}

pub(crate) fn budget_of(subject: &str, name: &str, limit_nanousd: i64, starts_at_ms: i64) -> Policy {
    let (name, subject) = (name.to_owned(), subject.to_owned());
    Policy::Budget { name, subject, limit_nanousd, starts_at_ms, resets_at_ms: starts_at_ms + 600_000 }
}

/// A budget whose period is on by the wall clock.
pub(crate) fn budget_from_now(name: &str, limit_nanousd: i64) -> Policy {
    budget_of("user:1:now", name, limit_nanousd, purser::clock::now_ms() - 1_000)
}

pub(crate) fn in_flight(name: &str, limit: u64) -> Policy {
    Policy::InFlight { name: name.to_owned(), subject: "user:1".to_owned(), limit }
}
