//! The hashes' twin in the development file: one row a hash.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params, params_from_iter};

use super::{DAILY_MS, FIELDS, HashOf, MARKER_MS, UsageEntry, UsageTotals, user_key};
use crate::{clock, sqlite::Sqlite};

const TABLES: &str = "
    create table if not exists usage_hashes (
        key text primary key,
        requests integer not null, errors integer not null,
        input_tokens integer not null, cache_write_5m_tokens integer not null, cache_write_1h_tokens integer not null,
        cache_read_tokens integer not null, output_tokens integer not null, web_search_requests integer not null,
        cost_nanousd integer not null,
        cost_usd text generated always as
            (printf('%d.%09d', cost_nanousd / 1000000000, cost_nanousd % 1000000000)) virtual,
        total_ms integer not null, slowest_ms integer not null, drop_at_ms integer not null
    ) without rowid;
    create table if not exists usage_recorded (
        call_id text primary key, drop_at_ms integer not null
    ) without rowid;
";

/// The hashes in a SQLite file.
#[derive(Clone)]
pub struct SqliteHashes {
    db: Sqlite,
    /// Whether this process has seen to the tables.
    ready: Arc<AtomicBool>,
}

impl SqliteHashes {
    pub(super) fn new(db: Sqlite) -> Self {
        Self { db, ready: Arc::default() }
    }

    pub(super) async fn record(&self, call: &UsageEntry<'_>) -> Result<(), rusqlite::Error> {
        let hashes = [(call.daily_key(), DAILY_MS), (user_key(call.caller), call.user_ms())];
        let (call_id, amounts) = (call.call_id.clone(), call.amounts());
        self.run(move |tx| {
            let now = clock::now_ms();
            tx.execute("delete from usage_recorded where drop_at_ms <= ?1", [now])?;
            tx.execute("delete from usage_hashes where drop_at_ms <= ?1", [now])?;
            let is_new = tx.execute(
                "insert into usage_recorded (call_id, drop_at_ms) values (?1, ?2) on conflict do nothing",
                params![call_id.as_str(), later(now, MARKER_MS)],
            )?;
            if is_new == 1 {
                for (key, lives_ms) in hashes {
                    add(tx, &key, amounts, later(now, lives_ms))?;
                }
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn replace(
        &self,
        hash: &HashOf,
        counted: i64,
        numbers: [i64; FIELDS.len()],
    ) -> Result<bool, rusqlite::Error> {
        let (key, lives_ms) = (hash.key(), hash.lives_ms());
        self.run(move |tx| {
            let counts = tx.query_row("select requests from usage_hashes where key = ?1", [&key], |row| row.get(0));
            if counts.optional()?.unwrap_or(0) != counted {
                return Ok(false);
            }
            tx.execute("delete from usage_hashes where key = ?1", [&key])?;
            add(tx, &key, numbers, later(clock::now_ms(), lives_ms))?;
            Ok(true)
        })
        .await
    }

    pub(super) async fn read(&self, key: String) -> Result<Option<UsageTotals>, rusqlite::Error> {
        let sql = format!("select {}, cost_usd from usage_hashes where key = ?1", FIELDS.join(", "));
        self.run(move |tx| {
            tx.query_row(&sql, [key], |row| {
                let mut numbers = [0; FIELDS.len()];
                for (i, number) in numbers.iter_mut().enumerate() {
                    *number = row.get(i)?;
                }
                Ok(UsageTotals::new(numbers, row.get(FIELDS.len())?))
            })
            .optional()
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, rusqlite::Error>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let ready = self.ready.clone();
        self.db
            .run(move |connection| {
                if !ready.load(Ordering::Acquire) {
                    connection.execute_batch(TABLES)?;
                    ready.store(true, Ordering::Release);
                }
                let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = work(&tx)?;
                tx.commit()?;
                Ok(done)
            })
            .await
    }
}

impl std::fmt::Debug for SqliteHashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteHashes")
    }
}

fn add(tx: &Transaction<'_>, key: &str, amounts: [i64; FIELDS.len()], drop_at_ms: i64) -> Result<(), rusqlite::Error> {
    let changes = FIELDS.map(|field| match field {
        "slowest_ms" => "slowest_ms = max(slowest_ms, excluded.slowest_ms)".to_owned(),
        field => format!("{field} = {field} + excluded.{field}"),
    });
    let places: Vec<_> = (3..3 + FIELDS.len()).map(|i| format!("?{i}")).collect();
    let sql = format!(
        "insert into usage_hashes (key, drop_at_ms, {}) values (?1, ?2, {})
         on conflict (key) do update set drop_at_ms = excluded.drop_at_ms, {}",
        FIELDS.join(", "),
        places.join(", "),
        changes.join(", "),
    );
    let values = [key.to_owned().into(), drop_at_ms.into()].into_iter().chain(amounts.map(Into::into));
    tx.execute(&sql, params_from_iter(values.collect::<Vec<rusqlite::types::Value>>()))?;
    Ok(())
}

fn later(now_ms: i64, lives_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(lives_ms).unwrap_or(i64::MAX))
}
