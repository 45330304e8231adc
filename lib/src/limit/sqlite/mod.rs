//! The limiter in a SQLite file that the processes of one machine share: `vercel dev` starts one per request.

mod ask;
mod identities;
mod rows;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
};

use rusqlite::{Transaction, TransactionBehavior, params};

use self::ask::OwnedAsk;
use self::identities::{note, refusal};
use self::rows::{
    begin_epoch, drop_accounts, epoch, give_back, insert, load, make_tables, marker, open_account, remember, sweep,
};
use super::{
    Ask, Clock, Decision, Extension, Figures, Identity, LimitError, MARKER_MS, Opening, Overdue, Policy, Reading,
    Settled,
    algebra::{self, Account, Call, End},
    decision::Verdict,
    identity::{Claim, Note},
};
use crate::{ids::CallId, sqlite::Sqlite};

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
        let ask = OwnedAsk::from(ask);
        self.write(move |tx, now| reserve(tx, &ask.borrow(), ask.claim.as_ref(), now)).await
    }

    pub(super) async fn extend(&self, ask: &Ask<'_>) -> Result<Extension, LimitError> {
        let ask = OwnedAsk::from(ask);
        self.write(move |tx, now| extend(tx, &ask.borrow(), now)).await
    }

    pub(super) async fn open(&self, opening: &Opening) -> Result<(), LimitError> {
        let opening = opening.clone();
        self.write(move |tx, now| open(tx, &opening, now)).await
    }

    pub(super) async fn settle(&self, end: &End<'_>, policies: &[Policy]) -> Result<Settled, LimitError> {
        let (call_id, policies) = (end.call_id.clone(), policies.to_vec());
        let (cost_nanousd, made_ms) = (end.cost_nanousd, end.made_ms);
        self.write(move |tx, now| settle(tx, &End { call_id: &call_id, cost_nanousd, made_ms }, &policies, now)).await
    }

    pub(super) async fn release(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        let (call_id, policies) = (call_id.clone(), policies.to_vec());
        self.write(move |tx, _| release(tx, &call_id, &policies)).await
    }

    pub(super) async fn forget(&self, hold: &Overdue, policies: &[Policy]) -> Result<(), LimitError> {
        let (call_id, policies) = (hold.call_id.clone(), policies.to_vec());
        self.write(move |tx, _| {
            policies.iter().filter(|policy| policy.is_budget()).try_for_each(|policy| give_back(tx, policy, &call_id))
        })
        .await
    }

    pub(super) async fn figures(&self, budgets: &[Policy]) -> Result<Vec<Figures>, LimitError> {
        let budgets = budgets.to_vec();
        self.write(move |tx, now| {
            let epoch_ms = epoch(tx)?.unwrap_or(now);
            budgets.iter().map(|policy| Ok(load(tx, policy, now)?.figures(policy, epoch_ms))).collect()
        })
        .await
    }

    pub(super) async fn drop_accounts(&self, budgets: &[Policy]) -> Result<(), LimitError> {
        let budgets = budgets.to_vec();
        self.write(move |tx, now| drop_accounts(tx, &budgets, now)).await
    }

    pub(super) async fn note(&self, new: Note) -> Result<(), LimitError> {
        self.write(move |tx, now| note(tx, new, now)).await
    }

    pub(super) async fn look(
        &self,
        identity: Option<Identity<'_>>,
        policies: &[Policy],
    ) -> Result<Reading, LimitError> {
        let (policies, claim) = (policies.to_vec(), identity.map(|identity| identity.claim()));
        let (ready, clock) = (self.ready.clone(), self.clock.clone());
        let reading = self.db.run(move |connection| {
            make_tables(connection, &ready)?;
            let tx = connection.transaction()?;
            let now = clock.now_ms();
            if let Some(refusal) = refusal(&tx, claim.as_ref(), now)? {
                return Ok(refusal.into());
            }
            let accounts = policies.iter().map(|policy| load(&tx, policy, now)).collect::<Result<Vec<_>, _>>()?;
            let epoch_ms = epoch(&tx)?.unwrap_or(now);
            Ok(match algebra::obstacle(policies.iter().zip(&accounts), epoch_ms, Some(now)) {
                Some(obstacle) => Reading::Obstructed(obstacle),
                None => {
                    let standings = policies.iter().zip(&accounts).map(|(p, account)| account.standing(p, now));
                    Reading::Standings(standings.collect())
                }
            })
        });
        Ok(reading.await?)
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

fn reserve(tx: &Transaction<'_>, ask: &Ask<'_>, claim: Option<&Claim>, now: i64) -> Result<Decision, rusqlite::Error> {
    sweep(tx, now)?;
    let epoch_ms = begin_epoch(tx, now)?;
    let known = marker(tx, ask.call_id.as_str())?.is_some();
    if let Some(refusal) = refusal(tx, claim.filter(|_| !known), now)? {
        return Ok(refusal.into());
    }
    let mut judged = Vec::with_capacity(ask.policies.len());
    for policy in ask.policies {
        let account = load(tx, policy, now)?;
        let verdict = if known { Verdict::Fits } else { account.judge(policy, ask.hold_nanousd, now) };
        judged.push((account, policy, verdict));
    }
    let accounts = || judged.iter().map(|(account, policy, _)| (*policy, account));
    if let Some(obstacle) = algebra::obstacle(accounts(), epoch_ms, Some(now)).filter(|_| !known) {
        return Ok(Decision::Obstructed(obstacle));
    }
    let overdue = algebra::overdue(accounts(), ask, now);
    let takes = !known && judged.iter().all(|(_, _, verdict)| *verdict == Verdict::Fits);
    if takes {
        remember(tx, ask.call_id, Call::Held(ask.hold_nanousd), now, ask.hold_ttl_ms.saturating_add(MARKER_MS))?;
    }
    let mut parts = Vec::with_capacity(judged.len());
    for (mut account, policy, verdict) in judged {
        if takes {
            open_account(tx, policy, 0, now)?;
            if let Some(entry) = account.take(policy, ask, now) {
                insert(tx, policy, &entry)?;
            }
        }
        parts.push((account.standing(policy, now), verdict));
    }
    Ok(Decision::from_verdicts(parts, now, epoch_ms, overdue))
}

fn extend(tx: &Transaction<'_>, ask: &Ask<'_>, now: i64) -> Result<Extension, rusqlite::Error> {
    sweep(tx, now)?;
    let epoch_ms = begin_epoch(tx, now)?;
    let accounts = ask.policies.iter().map(|policy| load(tx, policy, now)).collect::<Result<Vec<_>, _>>()?;
    if let Some(obstacle) = algebra::obstacle(ask.policies.iter().zip(&accounts), epoch_ms, None) {
        return Ok(Extension::Obstructed(obstacle));
    }
    let Some(Call::Held(held)) = marker(tx, ask.call_id.as_str())? else { return Ok(Extension::Refused) };
    if held >= ask.hold_nanousd {
        return Ok(Extension::Granted);
    }
    let mut grown = Vec::with_capacity(accounts.len());
    for (policy, mut account) in ask.policies.iter().zip(accounts).filter(|(policy, _)| policy.is_budget()) {
        account.give_back(ask.call_id.as_str());
        if account.judge(policy, ask.hold_nanousd, now) != Verdict::Fits {
            return Ok(Extension::Refused);
        }
        grown.extend(account.take(policy, ask, now).map(|entry| (policy, entry)));
    }
    for (policy, entry) in grown {
        give_back(tx, policy, ask.call_id)?;
        insert(tx, policy, &entry)?;
    }
    remember(tx, ask.call_id, Call::Held(ask.hold_nanousd), now, ask.hold_ttl_ms.saturating_add(MARKER_MS))?;
    Ok(Extension::Granted)
}

fn open(tx: &Transaction<'_>, opening: &Opening, now: i64) -> Result<(), rusqlite::Error> {
    begin_epoch(tx, now)?;
    if load(tx, &opening.policy, now)?.is_open {
        return Ok(());
    }
    let mut markers = HashMap::new();
    for call_id in opening.settling.iter().chain(opening.running.iter().map(|call| &call.call_id)) {
        markers.insert(call_id.as_str(), marker(tx, call_id.as_str())?);
    }
    let account = Account::opened(opening, |call_id| markers.get(call_id).copied().flatten());
    open_account(tx, &opening.policy, account.spent, now)?;
    tx.prepare("delete from limit_entries where account = ?1")?.execute([opening.policy.account()])?;
    for entry in &account.entries {
        if entry.amount > 0 {
            remember(tx, &CallId(entry.call_id.clone()), Call::Held(entry.amount), now, MARKER_MS)?;
        }
        insert(tx, &opening.policy, entry)?;
    }
    Ok(())
}

fn settle(tx: &Transaction<'_>, end: &End<'_>, policies: &[Policy], now: i64) -> Result<Settled, rusqlite::Error> {
    let mut settled = Settled { at_ms: now, overspent: Vec::new() };
    let (call_id, cost) = (end.call_id, end.cost_nanousd);
    let epoch_ms = begin_epoch(tx, now)?;
    if let Some(Call::Settled(_)) = marker(tx, call_id.as_str())? {
        return Ok(settled);
    }
    for policy in policies {
        if matches!(policy, Policy::Budget { .. }) {
            let mut account = load(tx, policy, now)?;
            let adds = account.settle(policy, call_id.as_str(), cost, epoch_ms);
            settled.overspent.extend(account.overspent(policy, adds));
            if account.is_open {
                open_account(tx, policy, 0, now)?;
                tx.prepare("update limit_budgets set spent = spent + ?2 where account = ?1")?
                    .execute(params![policy.account(), adds])?;
            }
        }
        if !matches!(policy, Policy::Window { .. }) {
            give_back(tx, policy, call_id)?;
        } else if end.made_ms.is_some()
            && let Some(entry) = load(tx, policy, now)?.take_late(policy, end, now)
        {
            insert(tx, policy, &entry)?;
        }
    }
    remember(tx, call_id, Call::Settled(cost), now, MARKER_MS)?;
    Ok(settled)
}

fn release(tx: &Transaction<'_>, call_id: &CallId, policies: &[Policy]) -> Result<(), rusqlite::Error> {
    let Some(Call::Held(_)) = marker(tx, call_id.as_str())? else { return Ok(()) };
    for policy in policies {
        give_back(tx, policy, call_id)?;
    }
    tx.prepare("delete from limit_markers where call_id = ?1")?.execute([call_id.as_str()])?;
    Ok(())
}
