//! The limiter in a SQLite file that the processes of one machine share: `vercel dev` starts one per request.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{
    Ask, Clock, Decision, Identity, LimitError, MARKER_MS, Policy,
    algebra::{Account, Entry},
    decision::Verdict,
    identity::{Claim, Note, Noted},
};
use crate::{ids::CallId, sqlite::Sqlite};

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
    create table if not exists limit_calls (
        call_id text primary key, settled integer not null, drop_at_ms integer not null
    ) without rowid;
    create index if not exists limit_calls_drop on limit_calls (drop_at_ms);
    create table if not exists limit_identities (
        note text primary key, value text not null, drop_at_ms integer not null
    ) without rowid;
";

/// The limiter in a SQLite file.
#[derive(Clone)]
pub struct SqliteLimiter {
    db: Sqlite,
    /// Whether this process has seen to the tables.
    ready: Arc<AtomicBool>,
    pub(super) clock: Clock,
}

impl SqliteLimiter {
    pub(super) fn new(db: Sqlite) -> Self {
        Self { db, ready: Arc::default(), clock: Clock::Store }
    }

    pub(super) async fn reserve(&self, ask: &Ask<'_>) -> Result<Decision, LimitError> {
        let (call_id, policies) = (ask.call_id.clone(), ask.policies.to_vec());
        let (hold_nanousd, hold_ttl_ms) = (ask.hold_nanousd, ask.hold_ttl_ms);
        let claim = ask.identity.map(|identity| identity.claim());
        self.write(move |tx, now| {
            let ask = Ask { call_id: &call_id, identity: None, policies: &policies, hold_nanousd, hold_ttl_ms };
            reserve(tx, &ask, claim.as_ref(), now)
        })
        .await
    }

    pub(super) async fn settle(&self, call_id: &CallId, policies: &[Policy], cost: i64) -> Result<(), LimitError> {
        let (call_id, policies) = (call_id.clone(), policies.to_vec());
        self.write(move |tx, now| settle(tx, &call_id, &policies, cost, now)).await
    }

    pub(super) async fn release(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        let (call_id, policies) = (call_id.clone(), policies.to_vec());
        self.write(move |tx, _| release(tx, &call_id, &policies)).await
    }

    pub(super) async fn look(
        &self,
        identity: Option<Identity<'_>>,
        policies: &[Policy],
    ) -> Result<Decision, LimitError> {
        let (policies, claim) = (policies.to_vec(), identity.map(|identity| identity.claim()));
        let (ready, clock) = (self.ready.clone(), self.clock.clone());
        let decision = self.db.run(move |connection| {
            make_tables(connection, &ready)?;
            let tx = connection.transaction()?;
            let now = clock.now_ms();
            if let Some(refusal) = refusal(&tx, claim.as_ref(), now)? {
                return Ok(refusal);
            }
            let standings = policies.iter().map(|policy| Ok(load(&tx, policy, now)?.standing(policy, now)));
            Ok(Decision::Admitted { standings: standings.collect::<Result<_, rusqlite::Error>>()? })
        });
        Ok(decision.await?)
    }

    pub(super) async fn note(&self, note: Note) -> Result<(), LimitError> {
        self.write(move |tx, now| {
            let known = noted(tx, &note.key, now)?;
            let value = known.filter(|known| note.yields_to(known)).unwrap_or(note.value);
            let drop_at_ms = now.saturating_add(i64::try_from(note.ttl_ms).unwrap_or(i64::MAX));
            tx.prepare(
                "insert into limit_identities (note, value, drop_at_ms) values (?1, ?2, ?3) on conflict (note) \
                 do update set value = excluded.value, drop_at_ms = max(drop_at_ms, excluded.drop_at_ms)",
            )?
            .execute(params![note.key, value, drop_at_ms])?;
            Ok(())
        })
        .await
    }

    /// Runs work while no other process writes; the clock is read once that is so.
    async fn write<T, F>(&self, work: F) -> Result<T, LimitError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>, i64) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let (ready, clock) = (self.ready.clone(), self.clock.clone());
        let done = self.db.run(move |connection| {
            make_tables(connection, &ready)?;
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx, clock.now_ms())?;
            tx.commit()?;
            Ok(done)
        });
        Ok(done.await?)
    }
}

impl std::fmt::Debug for SqliteLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteLimiter").field("clock", &self.clock).finish_non_exhaustive()
    }
}

fn make_tables(connection: &Connection, ready: &AtomicBool) -> Result<(), rusqlite::Error> {
    if !ready.load(Ordering::Acquire) {
        connection.execute_batch(TABLES)?;
        ready.store(true, Ordering::Release);
    }
    Ok(())
}

fn reserve(tx: &Transaction<'_>, ask: &Ask<'_>, claim: Option<&Claim>, now: i64) -> Result<Decision, rusqlite::Error> {
    sweep(tx, now)?;
    let known = is_settled(tx, ask.call_id)?.is_some();
    if let Some(refusal) = refusal(tx, claim.filter(|_| !known), now)? {
        return Ok(refusal);
    }
    let mut judged = Vec::with_capacity(ask.policies.len());
    for policy in ask.policies {
        let account = load(tx, policy, now)?;
        let verdict = if known { Verdict::Fits } else { account.judge(policy, ask.hold_nanousd, now) };
        judged.push((account, policy, verdict));
    }
    let takes = !known && judged.iter().all(|(_, _, verdict)| *verdict == Verdict::Fits);
    if takes {
        remember(tx, ask.call_id, false, now, ask.hold_ttl_ms.saturating_add(MARKER_MS))?;
    }
    let mut parts = Vec::with_capacity(judged.len());
    for (mut account, policy, verdict) in judged {
        if let Some(entry) = takes.then(|| account.take(policy, ask, now)).flatten() {
            insert(tx, policy, &entry)?;
        }
        parts.push((account.standing(policy, now), verdict));
    }
    Ok(Decision::from_verdicts(parts))
}

fn settle(
    tx: &Transaction<'_>,
    call_id: &CallId,
    policies: &[Policy],
    cost: i64,
    now: i64,
) -> Result<(), rusqlite::Error> {
    if is_settled(tx, call_id)? == Some(true) {
        return Ok(());
    }
    for policy in policies {
        match policy {
            Policy::Window { .. } => {}
            Policy::InFlight { .. } => give_back(tx, policy, call_id)?,
            Policy::Budget { resets_at_ms, .. } => {
                give_back(tx, policy, call_id)?;
                let drop_at_ms = (*resets_at_ms).max(now).saturating_add(GRACE_MS);
                tx.prepare(
                    "insert into limit_budgets (account, spent, drop_at_ms) values (?1, ?2, ?3)
                     on conflict (account) do update set spent = spent + excluded.spent",
                )?
                .execute(params![policy.account(), cost, drop_at_ms])?;
            }
        }
    }
    remember(tx, call_id, true, now, MARKER_MS)
}

fn release(tx: &Transaction<'_>, call_id: &CallId, policies: &[Policy]) -> Result<(), rusqlite::Error> {
    if is_settled(tx, call_id)? != Some(false) {
        return Ok(());
    }
    for policy in policies {
        give_back(tx, policy, call_id)?;
    }
    tx.prepare("delete from limit_calls where call_id = ?1")?.execute([call_id.as_str()])?;
    Ok(())
}

/// Drops what does not count any more, of all accounts: the file does not grow.
fn sweep(tx: &Transaction<'_>, now: i64) -> Result<(), rusqlite::Error> {
    tx.prepare("delete from limit_entries where frees_at_ms <= ?1")?.execute([now])?;
    tx.prepare("delete from limit_calls where drop_at_ms <= ?1")?.execute([now])?;
    tx.prepare("delete from limit_budgets where drop_at_ms <= ?1")?.execute([now])?;
    tx.prepare("delete from limit_identities where drop_at_ms <= ?1")?.execute([now])?;
    Ok(())
}

fn refusal(tx: &Transaction<'_>, claim: Option<&Claim>, now: i64) -> Result<Option<Decision>, rusqlite::Error> {
    let Some(claim) = claim else { return Ok(None) };
    let session = claim.session_key.as_ref().map(|key| noted(tx, key, now)).transpose()?;
    let noted = Noted {
        plan: noted(tx, &claim.plan_key, now)?,
        before: noted(tx, &claim.before_key, now)?,
        is_session_over: session.flatten().is_some(),
    };
    Ok(claim.refusal(&noted))
}

fn noted(tx: &Transaction<'_>, key: &str, now: i64) -> Result<Option<String>, rusqlite::Error> {
    let mut statement = tx.prepare("select value from limit_identities where note = ?1 and drop_at_ms > ?2")?;
    statement.query_row(params![key, now], |row| row.get(0)).optional()
}

/// Whether the call is settled; none where it holds nothing.
fn is_settled(tx: &Transaction<'_>, call_id: &CallId) -> Result<Option<bool>, rusqlite::Error> {
    let mut statement = tx.prepare("select settled from limit_calls where call_id = ?1")?;
    statement.query_row([call_id.as_str()], |row| row.get(0)).optional()
}

fn remember(
    tx: &Transaction<'_>,
    call_id: &CallId,
    settled: bool,
    now: i64,
    lives_ms: u64,
) -> Result<(), rusqlite::Error> {
    let drop_at_ms = now.saturating_add(i64::try_from(lives_ms).unwrap_or(i64::MAX));
    tx.prepare("insert or replace into limit_calls (call_id, settled, drop_at_ms) values (?1, ?2, ?3)")?
        .execute(params![call_id.as_str(), settled, drop_at_ms])?;
    Ok(())
}

fn load(tx: &Transaction<'_>, policy: &Policy, now: i64) -> Result<Account, rusqlite::Error> {
    let account = policy.account();
    let mut spent = tx.prepare("select spent from limit_budgets where account = ?1")?;
    let spent = spent.query_row([&account], |row| row.get(0)).optional()?.unwrap_or(0);
    let mut entries = tx.prepare(
        "select call_id, amount, frees_at_ms from limit_entries
         where account = ?1 and frees_at_ms > ?2 order by frees_at_ms",
    )?;
    let entries = entries
        .query_map(params![account, now], |row| {
            Ok(Entry { call_id: row.get(0)?, amount: row.get(1)?, frees_at_ms: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Account { spent, entries })
}

fn insert(tx: &Transaction<'_>, policy: &Policy, entry: &Entry) -> Result<(), rusqlite::Error> {
    tx.prepare("insert into limit_entries (account, call_id, amount, frees_at_ms) values (?1, ?2, ?3, ?4)")?
        .execute(params![policy.account(), entry.call_id, entry.amount, entry.frees_at_ms])?;
    Ok(())
}

fn give_back(tx: &Transaction<'_>, policy: &Policy, call_id: &CallId) -> Result<(), rusqlite::Error> {
    tx.prepare("delete from limit_entries where account = ?1 and call_id = ?2")?
        .execute(params![policy.account(), call_id.as_str()])?;
    Ok(())
}
