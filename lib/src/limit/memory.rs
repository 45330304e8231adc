//! The limiter of one process: what a degraded instance uses while Redis is away. Bounded.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Ask, Clock, Decision, Identity, LimitError, Policy,
    algebra::Account,
    decision::Verdict,
    identity::{Note, Noted},
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
    accounts: HashMap<String, Kept>,
    calls: HashMap<String, Call>,
    /// The calls' ids, oldest first.
    order: VecDeque<String>,
    /// What is known of identities, and until when.
    notes: HashMap<String, (String, i64)>,
}

#[derive(Debug, Default)]
struct Kept {
    account: Account,
    /// Until then an account is kept even without entries.
    until_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Held,
    Settled,
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
        let known = state.calls.contains_key(ask.call_id.as_str());
        if let Some(refusal) = state.refusal(ask.identity.filter(|_| !known), now) {
            return Ok(refusal);
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
        let admitted = judged.iter().all(|(_, _, verdict)| *verdict == Verdict::Fits);
        if admitted && !known {
            self.make_room(&mut state, ask.policies, now)?;
            state.remember(ask.call_id, Call::Held, self.max_accounts);
        }
        let parts = judged.into_iter().map(|(mut account, policy, verdict)| {
            if admitted && !known {
                account.take(policy, ask, now);
                state.keep(policy, account.clone());
            }
            (account.standing(policy, now), verdict)
        });
        Ok(Decision::from_verdicts(parts.collect()))
    }

    pub(super) fn settle(&self, call_id: &CallId, policies: &[Policy], cost: i64) -> Result<(), LimitError> {
        let (now, mut state) = (self.clock.now_ms(), self.lock());
        if state.calls.get(call_id.as_str()) == Some(&Call::Settled) {
            return Ok(());
        }
        self.make_room(&mut state, policies, now)?;
        state.remember(call_id, Call::Settled, self.max_accounts);
        for policy in policies {
            let mut account = state.live(policy, now);
            match policy {
                Policy::Window { .. } => continue,
                Policy::InFlight { .. } => account.give_back(call_id.as_str()),
                Policy::Budget { .. } => {
                    account.give_back(call_id.as_str());
                    account.spent = account.spent.saturating_add(cost);
                }
            }
            state.keep(policy, account);
        }
        Ok(())
    }

    pub(super) fn release(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        let mut state = self.lock();
        if state.calls.get(call_id.as_str()) != Some(&Call::Held) {
            return Ok(());
        }
        state.calls.remove(call_id.as_str());
        state.order.retain(|id| id != call_id.as_str());
        for policy in policies {
            if let Some(kept) = state.accounts.get_mut(&policy.account()) {
                kept.account.give_back(call_id.as_str());
            }
        }
        Ok(())
    }

    pub(super) fn look(&self, identity: Option<Identity<'_>>, policies: &[Policy]) -> Decision {
        let (now, state) = (self.clock.now_ms(), self.lock());
        state.refusal(identity, now).unwrap_or_else(|| Decision::Admitted {
            standings: policies.iter().map(|policy| state.live(policy, now).standing(policy, now)).collect(),
        })
    }

    pub(super) fn note(&self, note: Note) -> Result<(), LimitError> {
        let (now, mut state) = (self.clock.now_ms(), self.lock());
        state.notes.retain(|_, (_, until_ms)| *until_ms > now);
        let (known, until_ms) = state.notes.get(&note.key).cloned().unzip();
        if known.is_none() && state.notes.len() >= self.max_accounts {
            return Err(LimitError::Full);
        }
        let value = known.filter(|known| note.yields_to(known)).unwrap_or(note.value);
        let lives_until_ms = now.saturating_add(i64::try_from(note.ttl_ms).unwrap_or(i64::MAX));
        state.notes.insert(note.key, (value, lives_until_ms.max(until_ms.unwrap_or(0))));
        Ok(())
    }

    /// Evicts what has expired if the new accounts would not fit otherwise.
    fn make_room(&self, state: &mut State, policies: &[Policy], now_ms: i64) -> Result<(), LimitError> {
        let new = policies.iter().filter(|policy| !state.accounts.contains_key(&policy.account())).count();
        if state.accounts.len() + new <= self.max_accounts {
            return Ok(());
        }
        state.accounts.retain(|_, kept| {
            kept.account.sweep(now_ms);
            !kept.account.entries.is_empty() || (kept.account.spent > 0 && kept.until_ms > now_ms)
        });
        let new = policies.iter().filter(|policy| !state.accounts.contains_key(&policy.account())).count();
        if state.accounts.len() + new <= self.max_accounts { Ok(()) } else { Err(LimitError::Full) }
    }
}

impl State {
    fn refusal(&self, identity: Option<Identity<'_>>, now_ms: i64) -> Option<Decision> {
        let claim = identity?.claim();
        let noted = |key: &String| {
            let (value, until_ms) = self.notes.get(key)?;
            (*until_ms > now_ms).then(|| value.clone())
        };
        let is_session_over = claim.session_key.as_ref().and_then(noted).is_some();
        claim.refusal(&Noted { plan: noted(&claim.plan_key), before: noted(&claim.before_key), is_session_over })
    }

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
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    fn window(subject: usize) -> [Policy; 1] {
        [Policy::Window { name: "w".to_owned(), subject: subject.to_string(), limit: 1, window_ms: 1_000 }]
    }

    #[test]
    fn a_full_memory_forgets_what_expired_and_nothing_else() {
        let time = Arc::new(AtomicI64::new(0));
        let mut limiter = MemoryLimiter::new(3);
        limiter.clock = Clock::Fixed(time.clone());
        let ask = |subject| {
            let (call_id, policies) = (CallId::new(), window(subject));
            let ask = Ask { call_id: &call_id, identity: None, policies: &policies, hold_nanousd: 0, hold_ttl_ms: 1 };
            limiter.reserve(&ask)
        };
        for subject in 0..3 {
            assert!(ask(subject).unwrap().is_admitted());
        }
        assert!(matches!(ask(3), Err(LimitError::Full)));
        assert!(!ask(0).unwrap().is_admitted());
        time.store(1_000, Ordering::SeqCst);
        assert!(ask(3).unwrap().is_admitted());
        assert_eq!(limiter.accounts(), 1);
    }

    #[test]
    fn only_so_many_calls_are_remembered() {
        let limiter = MemoryLimiter::new(1);
        for _ in 0..100 {
            limiter.settle(&CallId::new(), &[], 0).unwrap();
        }
        assert_eq!(limiter.lock().calls.len(), CALLS_PER_ACCOUNT);
        assert_eq!(limiter.lock().order.len(), CALLS_PER_ACCOUNT);
    }
}
