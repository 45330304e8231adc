//! The limiter's tables.

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::{
    ids::CallId,
    limit::{
        Policy,
        algebra::{Account, Call, Entry},
    },
};

/// How long a budget is kept after its reset, for calls that settle late: three days, as in Redis.
const GRACE_MS: i64 = 3 * 86_400_000;

const TABLES: &str = "
    create table if not exists limit_entries (
        account text not null, call_id text not null, amount integer not null, frees_at_ms integer not null,
        primary key (account, call_id)
    ) without rowid;
    create index if not exists limit_entries_frees on limit_entries (frees_at_ms);
    create table if not exists limit_budgets (
        account text primary key, spent integer not null, drop_at_ms integer not null
    ) without rowid;
    create table if not exists limit_markers (
        call_id text primary key, held integer not null, cost integer, drop_at_ms integer not null
    ) without rowid;
    create index if not exists limit_markers_drop on limit_markers (drop_at_ms);
    create table if not exists limit_identities (
        note text primary key, value text not null, drop_at_ms integer not null
    ) without rowid;
    create table if not exists limit_epoch (only_row integer primary key check (only_row = 1), epoch_ms integer not null);
";

pub(super) fn make_tables(connection: &Connection, ready: &AtomicBool) -> Result<(), rusqlite::Error> {
    if !ready.load(Ordering::Acquire) {
        connection.execute_batch(TABLES)?;
        ready.store(true, Ordering::Release);
    }
    Ok(())
}

/// Drops what does not count any more, of all accounts: the file does not grow.
pub(super) fn sweep(tx: &Transaction<'_>, now: i64) -> Result<(), rusqlite::Error> {
    tx.prepare("delete from limit_entries where frees_at_ms <= ?1")?.execute([now])?;
    tx.prepare("delete from limit_markers where drop_at_ms <= ?1")?.execute([now])?;
    tx.prepare(
        "delete from limit_entries where amount = 0
         and account in (select account from limit_budgets where drop_at_ms <= ?1)",
    )?
    .execute([now])?;
    tx.prepare("delete from limit_budgets where drop_at_ms <= ?1")?.execute([now])?;
    Ok(())
}

/// When this file began to remember.
pub(super) fn epoch(tx: &Transaction<'_>) -> Result<Option<i64>, rusqlite::Error> {
    tx.prepare("select epoch_ms from limit_epoch")?.query_row([], |row| row.get(0)).optional()
}

pub(super) fn begin_epoch(tx: &Transaction<'_>, now: i64) -> Result<i64, rusqlite::Error> {
    tx.prepare("insert or ignore into limit_epoch (only_row, epoch_ms) values (1, ?1)")?.execute([now])?;
    Ok(epoch(tx)?.unwrap_or(now))
}

/// Forgets accounts, and begins to remember anew.
pub(super) fn drop_accounts(tx: &Transaction<'_>, budgets: &[Policy], now: i64) -> Result<(), rusqlite::Error> {
    tx.prepare("insert or replace into limit_epoch (only_row, epoch_ms) values (1, ?1)")?.execute([now])?;
    for policy in budgets {
        tx.prepare("delete from limit_budgets where account = ?1")?.execute([policy.account()])?;
        tx.prepare("delete from limit_entries where account = ?1")?.execute([policy.account()])?;
    }
    Ok(())
}

/// Makes a budget's account if it is not there.
pub(super) fn open_account(tx: &Transaction<'_>, policy: &Policy, spent: i64, now: i64) -> Result<(), rusqlite::Error> {
    let Policy::Budget { resets_at_ms, .. } = policy else { return Ok(()) };
    let drop_at_ms = (*resets_at_ms).max(now).saturating_add(GRACE_MS);
    tx.prepare("insert or ignore into limit_budgets (account, spent, drop_at_ms) values (?1, ?2, ?3)")?
        .execute(params![policy.account(), spent, drop_at_ms])?;
    Ok(())
}

/// What became of a call; none where nothing is known of it.
pub(super) fn marker(tx: &Transaction<'_>, call_id: &str) -> Result<Option<Call>, rusqlite::Error> {
    let mut statement = tx.prepare("select held, cost from limit_markers where call_id = ?1")?;
    let read = |row: &rusqlite::Row<'_>| {
        let (held, cost): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(cost.map_or(Call::Held(held), Call::Settled))
    };
    statement.query_row([call_id], read).optional()
}

pub(super) fn remember(
    tx: &Transaction<'_>,
    call_id: &CallId,
    call: Call,
    now: i64,
    lives_ms: u64,
) -> Result<(), rusqlite::Error> {
    let drop_at_ms = now.saturating_add(i64::try_from(lives_ms).unwrap_or(i64::MAX));
    let (held, cost) = match call {
        Call::Held(held) => (held, None),
        Call::Settled(cost) => (0, Some(cost)),
    };
    tx.prepare("insert or replace into limit_markers (call_id, held, cost, drop_at_ms) values (?1, ?2, ?3, ?4)")?
        .execute(params![call_id.as_str(), held, cost, drop_at_ms])?;
    Ok(())
}

pub(super) fn load(tx: &Transaction<'_>, policy: &Policy, now: i64) -> Result<Account, rusqlite::Error> {
    let account = policy.account();
    let mut spent = tx.prepare("select spent from limit_budgets where account = ?1")?;
    let spent: Option<i64> = spent.query_row([&account], |row| row.get(0)).optional()?;
    let mut entries = tx.prepare(
        "select call_id, amount, frees_at_ms from limit_entries
         where account = ?1 and frees_at_ms > ?2 order by frees_at_ms",
    )?;
    let entries = entries
        .query_map(params![account, now], |row| {
            Ok(Entry { call_id: row.get(0)?, amount: row.get(1)?, frees_at_ms: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Account { is_open: spent.is_some(), spent: spent.unwrap_or(0), entries })
}

pub(super) fn insert(tx: &Transaction<'_>, policy: &Policy, entry: &Entry) -> Result<(), rusqlite::Error> {
    tx.prepare("insert into limit_entries (account, call_id, amount, frees_at_ms) values (?1, ?2, ?3, ?4)")?
        .execute(params![policy.account(), entry.call_id, entry.amount, entry.frees_at_ms])?;
    Ok(())
}

pub(super) fn give_back(tx: &Transaction<'_>, policy: &Policy, call_id: &CallId) -> Result<(), rusqlite::Error> {
    tx.prepare("delete from limit_entries where account = ?1 and call_id = ?2")?
        .execute(params![policy.account(), call_id.as_str()])?;
    Ok(())
}
