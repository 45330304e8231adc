//! The recordings' twin in the development file: processes share it as instances share Redis.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::{Glimpse, Piece, READ_BYTES_MAX, WANTED_MS};
use crate::{clock, ids::CallId, sqlite::Sqlite};

const TABLES: &str = "
    create table if not exists recordings (
        call_id text primary key, text blob not null, state text not null, drop_at_ms integer not null
    );
    create table if not exists recordings_wanted (
        call_id text primary key, asked integer not null, drop_at_ms integer not null
    ) without rowid;
";

/// The recordings in a SQLite file.
#[derive(Clone)]
pub struct SqliteRecordings {
    db: Sqlite,
    /// Whether this process has seen to the tables.
    ready: Arc<AtomicBool>,
}

impl SqliteRecordings {
    pub(super) fn new(db: Sqlite) -> Self {
        Self { db, ready: Arc::default() }
    }

    pub(super) async fn want(&self, call_id: &CallId) -> Result<i64, rusqlite::Error> {
        let call_id = call_id.clone();
        self.run(move |tx| {
            let now_ms = clock::now_ms();
            sweep(tx, now_ms)?;
            let sql = "insert into recordings_wanted (call_id, asked, drop_at_ms) values (?1, 1, ?2) \
                on conflict (call_id) do update set asked = asked + 1 returning asked";
            tx.query_row(sql, params![call_id.as_str(), later(now_ms, WANTED_MS)], |row| row.get(0))
        })
        .await
    }

    /// Only reads: a running answer asks each second, and must not keep others from writing.
    pub(super) async fn is_wanted(&self, call_id: &CallId) -> Result<bool, rusqlite::Error> {
        let (call_id, ready) = (call_id.clone(), self.ready.clone());
        self.db
            .run(move |connection| {
                make_tables(connection, &ready)?;
                let sql = "select 1 from recordings_wanted where call_id = ?1 and drop_at_ms > ?2";
                connection.prepare(sql)?.exists(params![call_id.as_str(), clock::now_ms()])
            })
            .await
    }

    pub(super) async fn write(&self, piece: &Piece) -> Result<usize, rusqlite::Error> {
        let piece = piece.clone();
        self.run(move |tx| {
            let now_ms = clock::now_ms();
            sweep(tx, now_ms)?;
            let sql = "select text from recordings where call_id = ?1";
            let found: Option<Vec<u8>> = tx.query_row(sql, [piece.call_id.as_str()], |row| row.get(0)).optional()?;
            let mut text = found.unwrap_or_default();
            if text.len() < piece.at {
                return Ok(text.len());
            }
            text.truncate(piece.at);
            text.extend_from_slice(piece.text.as_bytes());
            let sql = "insert or replace into recordings (call_id, text, state, drop_at_ms) values (?1, ?2, ?3, ?4)";
            let drop_at_ms = later(now_ms, piece.lives_ms());
            tx.execute(sql, params![piece.call_id.as_str(), text, piece.state(), drop_at_ms])?;
            Ok(text.len())
        })
        .await
    }

    pub(super) async fn read(&self, call_id: &CallId, from: usize) -> Result<Option<Glimpse>, rusqlite::Error> {
        let (call_id, ready) = (call_id.clone(), self.ready.clone());
        // SQLite counts from 1.
        let bounds = [from.saturating_add(1), READ_BYTES_MAX].map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let found = self.db.run(move |connection| {
            make_tables(connection, &ready)?;
            let sql = "select state, substr(text, ?3, ?4) from recordings where call_id = ?1 and drop_at_ms > ?2";
            let mut statement = connection.prepare(sql)?;
            let params = params![call_id.as_str(), clock::now_ms(), bounds[0], bounds[1]];
            statement.query_row(params, |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))).optional()
        });
        let Some((state, bytes)) = found.await? else { return Ok(None) };
        Glimpse::parse(&state, bytes).map(Some).ok_or(rusqlite::Error::InvalidQuery)
    }

    async fn run<T, F>(&self, work: F) -> Result<T, rusqlite::Error>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let ready = self.ready.clone();
        self.db
            .run(move |connection| {
                make_tables(connection, &ready)?;
                let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = work(&tx)?;
                tx.commit()?;
                Ok(done)
            })
            .await
    }
}

impl std::fmt::Debug for SqliteRecordings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteRecordings")
    }
}

fn make_tables(connection: &rusqlite::Connection, ready: &AtomicBool) -> Result<(), rusqlite::Error> {
    if !ready.load(Ordering::Acquire) {
        connection.execute_batch(TABLES)?;
        ready.store(true, Ordering::Release);
    }
    Ok(())
}

fn sweep(tx: &Transaction<'_>, now_ms: i64) -> Result<(), rusqlite::Error> {
    tx.execute("delete from recordings where drop_at_ms <= ?1", [now_ms])?;
    tx.execute("delete from recordings_wanted where drop_at_ms <= ?1", [now_ms]).map(drop)
}

fn later(now_ms: i64, lives_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(lives_ms).unwrap_or(i64::MAX))
}
