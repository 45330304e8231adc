//! The limiter of one process: what a degraded instance uses while Redis is away. Bounded.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Ask, Clock, Decision, Extension, Figures, Identity, LimitError, Opening, Overdue, Policy, Reading, Settled,
    algebra::{self, Account, Call, End},
    decision::Verdict,
    identity::Note,
    notes::Notes,
};
use crate::ids::CallId;

/// How many calls are remembered per account; the oldest are forgotten first and could then be settled twice.
const CALLS_PER_ACCOUNT: usize = 8;
/// How long a budget is kept after its reset, for calls that settle late: three days, as in Redis.
const GRACE_MS: i64 = 3 * 86_400_000;

/// The limiter of one process.
#[derive(Clone, Debug)]
pub struct MemoryLimiter {
    state: Arc<Mutex<State>>,
    max_accounts: usize,
    pub(super) clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    /// When this memory began.
    epoch_ms: Option<i64>,
    accounts: HashMap<String, Kept>,
    calls: HashMap<String, Call>,
    /// The calls' ids, oldest first.
    order: VecDeque<String>,
    notes: Notes,
}

#[derive(Debug, Default)]
struct Kept {
    account: Account,
    /// Until then an account is kept even without entries.
    until_ms: i64,
}

impl MemoryLimiter {
    pub(super) fn new(max_accounts: usize) -> Self {
        Self { state: Arc::default(), max_accounts, clock: Clock::Store }
    }

    /// How many pairs of policy and subject are kept.
    pub fn accounts(&self) -> usize {
        self.lock().accounts.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reserve(&self, ask: &Ask<'_>) -> Result<Decision, LimitError> {
        let (now, mut state) = (self.clock.now_ms(), self.lock());
        let epoch_ms = *state.epoch_ms.get_or_insert(now);
        let known = state.calls.contains_key(ask.call_id.as_str());
        if let Some(refusal) = state.notes.refusal(ask.identity.filter(|_| !known), now) {
            return Ok(refusal.into());
        }
        let judged: Vec<_> = ask
            .policies
            .iter()
            .map(|policy| {
                let account = state.live(policy, now);
                let verdict = if known { Verdict::Fits } else { account.judge(policy, ask.hold_nanousd, now) };
                (account, policy, verdict)
            })
            .collect();
        let accounts = || judged.iter().map(|(account, policy, _)| (*policy, account));
        if let Some(obstacle) = algebra::obstacle(accounts(), epoch_ms, Some(now)).filter(|_| !known) {
            return Ok(Decision::Obstructed(obstacle));
        }
        let overdue = algebra::overdue(accounts(), ask, now);
        let admitted = judged.iter().all(|(_, _, verdict)| *verdict == Verdict::Fits);
        if admitted && !known {
            self.make_room(&mut state, ask.policies, now)?;
            state.remember(ask.call_id, Call::Held(ask.hold_nanousd), self.max_accounts);
        }
        let parts = judged.into_iter().map(|(mut account, policy, verdict)| {
            if admitted && !known {
                account.take(policy, ask, now);
                state.keep(policy, account.clone());
            }
            (account.standing(policy, now), verdict)
        });
        Ok(Decision::from_verdicts(parts.collect(), now, epoch_ms, overdue))
    }

    pub(super) fn extend(&self, ask: &Ask<'_>) -> Result<Extension, LimitError> {
        let (now, mut state) = (self.clock.now_ms(), self.lock());
        let epoch_ms = *state.epoch_ms.get_or_insert(now);
        let accounts: Vec<_> = ask.policies.iter().map(|policy| (policy, state.live(policy, now))).collect();
        if let Some(obstacle) = algebra::obstacle(accounts.iter().map(|(p, account)| (*p, account)), epoch_ms, None) {
            return Ok(Extension::Obstructed(obstacle));
        }
        let Some(Call::Held(held)) = state.calls.get(ask.call_id.as_str()).copied() else {
            return Ok(Extension::Refused);
        };
        if held >= ask.hold_nanousd {
            return Ok(Extension::Granted);
        }
        let mut grown = Vec::with_capacity(accounts.len());
        for (policy, mut account) in accounts.into_iter().filter(|(policy, _)| policy.is_budget()) {
            account.give_back(ask.call_id.as_str());
            if account.judge(policy, ask.hold_nanousd, now) != Verdict::Fits {
                return Ok(Extension::Refused);
            }
            account.take(policy, ask, now);
            grown.push((policy, account));
        }
        for (policy, account) in grown {
            state.keep(policy, account);
        }
        state.remember(ask.call_id, Call::Held(ask.hold_nanousd), self.max_accounts);
        Ok(Extension::Granted)
    }

    pub(super) fn open(&self, opening: &Opening) -> Result<(), LimitError> {
        let (now, mut state) = (self.clock.now_ms(), self.lock());
        state.epoch_ms.get_or_insert(now);
        if state.live(&opening.policy, now).is_open {
            return Ok(());
        }
        self.make_room(&mut state, std::slice::from_ref(&opening.policy), now)?;
        let account = Account::opened(opening, |call_id| state.calls.get(call_id).copied());
        for entry in account.entries.iter().filter(|entry| entry.amount > 0) {
            let call_id = CallId(entry.call_id.clone());
            state.remember(&call_id, Call::Held(entry.amount), self.max_accounts);
        }
        state.keep(&opening.policy, account);
        Ok(())
    }

    pub(super) fn settle(&self, end: &End<'_>, policies: &[Policy]) -> Result<Settled, LimitError> {
        let mut settled = Settled { at_ms: self.clock.now_ms(), overspent: Vec::new() };
        let (call_id, cost) = (end.call_id, end.cost_nanousd);
        let (now, mut state) = (settled.at_ms, self.lock());
        let epoch_ms = *state.epoch_ms.get_or_insert(now);
        if let Some(Call::Settled(_)) = state.calls.get(call_id.as_str()) {
            return Ok(settled);
        }
        self.make_room(&mut state, policies, now)?;
        state.remember(call_id, Call::Settled(cost), self.max_accounts);
        for policy in policies {
            let mut account = state.live(policy, now);
            match policy {
                Policy::Window { .. } if end.made_ms.is_none() => continue,
                Policy::Window { .. } => drop(account.take_late(policy, end, now)),
                Policy::InFlight { .. } => account.give_back(call_id.as_str()),
                Policy::Budget { .. } => {
                    let adds = account.settle(policy, call_id.as_str(), cost, epoch_ms);
                    settled.overspent.extend(account.overspent(policy, adds));
                }
            }
            state.keep(policy, account);
        }
        Ok(settled)
    }

    pub(super) fn release(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        let mut state = self.lock();
        let Some(Call::Held(_)) = state.calls.get(call_id.as_str()) else { return Ok(()) };
        state.calls.remove(call_id.as_str());
        state.order.retain(|id| id != call_id.as_str());
        for policy in policies {
            if let Some(kept) = state.accounts.get_mut(&policy.account()) {
                kept.account.give_back(call_id.as_str());
            }
        }
        Ok(())
    }

    pub(super) fn forget(&self, hold: &Overdue, policies: &[Policy]) -> Result<(), LimitError> {
        let mut state = self.lock();
        for policy in policies.iter().filter(|policy| policy.is_budget()) {
            if let Some(kept) = state.accounts.get_mut(&policy.account()) {
                kept.account.give_back(hold.call_id.as_str());
            }
        }
        Ok(())
    }

    pub(super) fn figures(&self, budgets: &[Policy]) -> Result<Vec<Figures>, LimitError> {
        let (now, state) = (self.clock.now_ms(), self.lock());
        let epoch_ms = state.epoch_ms.unwrap_or(now);
        Ok(budgets.iter().map(|policy| state.live(policy, now).figures(policy, epoch_ms)).collect())
    }

    pub(super) fn drop_accounts(&self, budgets: &[Policy]) -> Result<(), LimitError> {
        let mut state = self.lock();
        state.epoch_ms = Some(self.clock.now_ms());
        for policy in budgets {
            state.accounts.remove(&policy.account());
        }
        Ok(())
    }

    pub(super) fn look(&self, identity: Option<Identity<'_>>, policies: &[Policy]) -> Reading {
        let (now, state) = (self.clock.now_ms(), self.lock());
        if let Some(refusal) = state.notes.refusal(identity, now) {
            return refusal.into();
        }
        let accounts: Vec<_> = policies.iter().map(|policy| (policy, state.live(policy, now))).collect();
        let borrowed = accounts.iter().map(|(policy, account)| (*policy, account));
        match algebra::obstacle(borrowed, state.epoch_ms.unwrap_or(now), Some(now)) {
            Some(obstacle) => Reading::Obstructed(obstacle),
            None => Reading::Standings(accounts.iter().map(|(p, account)| account.standing(p, now)).collect()),
        }
    }

    pub(super) fn note(&self, note: Note) -> Result<(), LimitError> {
        self.lock().notes.note(note, self.max_accounts, self.clock.now_ms())
    }

    /// Evicts what has expired if the new accounts would not fit otherwise.
    fn make_room(&self, state: &mut State, policies: &[Policy], now_ms: i64) -> Result<(), LimitError> {
        let new = policies.iter().filter(|policy| !state.accounts.contains_key(&policy.account())).count();
        if state.accounts.len() + new <= self.max_accounts {
            return Ok(());
        }
        state.accounts.retain(|_, kept| {
            kept.account.sweep(now_ms);
            !kept.account.entries.is_empty() || (kept.account.is_open && kept.until_ms > now_ms)
        });
        let new = policies.iter().filter(|policy| !state.accounts.contains_key(&policy.account())).count();
        if state.accounts.len() + new <= self.max_accounts { Ok(()) } else { Err(LimitError::Full) }
    }
}

impl State {
    /// A copy of what counts now; small, because windows and slots are.
    fn live(&self, policy: &Policy, now_ms: i64) -> Account {
        let mut account =
            self.accounts.get(&policy.account()).map_or_else(Account::default, |kept| kept.account.clone());
        account.sweep(now_ms);
        account
    }

    fn keep(&mut self, policy: &Policy, account: Account) {
        let until_ms = match policy {
            Policy::Budget { resets_at_ms, .. } => resets_at_ms.saturating_add(GRACE_MS),
            Policy::Window { .. } | Policy::InFlight { .. } => 0,
        };
        self.accounts.insert(policy.account(), Kept { account, until_ms });
    }

    fn remember(&mut self, call_id: &CallId, call: Call, max_accounts: usize) {
        if self.calls.insert(call_id.as_str().to_owned(), call).is_none() {
            self.order.push_back(call_id.as_str().to_owned());
        }
        while self.order.len() > max_accounts.saturating_mul(CALLS_PER_ACCOUNT) {
            if let Some(oldest) = self.order.pop_front() {
                self.calls.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
