//! What counts, what fits, and how long to wait: pure rules, the same for SQLite and memory.
//! `lua/policies.lua` and `lua/reserve.lua` are these rules in the language of Redis.

use super::{
    Ask, Figures, Obstacle, Opening, Overdue, Policy,
    decision::{Overspent, Standing, Verdict},
};
use crate::ids::CallId;

/// Something taken from a policy: one call's place, or its hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) call_id: String,
    /// One, or nanodollars. Zero says that `spent` has this call's cost already, though it is not settled here.
    pub(super) amount: i64,
    /// From this moment on it does not count any more.
    pub(super) frees_at_ms: i64,
}

/// The end of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) call_id: &'a CallId,
    pub(super) cost_nanousd: i64,
    /// When it was made, where windows did not hear of it then.
    pub(super) made_ms: Option<i64>,
}

/// What one policy knows about one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Whether `spent` is known; nothing but a budget asks.
    pub(super) is_open: bool,
    /// Settled nanodollars; nothing but a budget has any.
    pub(super) spent: i64,
    /// Live entries, the first to go first.
    pub(super) entries: Vec<Entry>,
}

impl Account {
    /// Drops what does not count any more.
    pub(super) fn sweep(&mut self, now_ms: i64) {
        self.entries.retain(|entry| entry.frees_at_ms > now_ms);
    }

    fn used(&self) -> i64 {
        self.entries.iter().fold(self.spent, |sum, entry| sum.saturating_add(entry.amount))
    }

    /// Whether an ask fits.
    pub(super) fn judge(&self, policy: &Policy, hold_nanousd: i64, now_ms: i64) -> Verdict {
        let (unit, limit) = (policy.unit(hold_nanousd), policy.limit());
        let missing = self.used().saturating_add(unit).saturating_sub(limit);
        if missing <= 0 {
            Verdict::Fits
        } else if unit > limit {
            Verdict::Violated { wait_ms: None }
        } else {
            Verdict::Violated { wait_ms: self.wait_for(policy, missing, now_ms) }
        }
    }

    /// What is left and when there is more: in a budget, when its next period begins.
    pub(super) fn standing(&self, policy: &Policy, now_ms: i64) -> Standing {
        let (used, limit) = (self.used(), policy.limit());
        let reset_ms = match policy {
            _ if limit <= 0 || used <= 0 => None,
            Policy::Budget { resets_at_ms, .. } => Some(wait_until(*resets_at_ms, now_ms)),
            Policy::Window { .. } | Policy::InFlight { .. } => {
                self.wait_for(policy, used.saturating_sub(limit).max(0).saturating_add(1), now_ms)
            }
        };
        Standing::new(policy, limit.saturating_sub(used).max(0), reset_ms)
    }

    /// The wait until `need` more is free if nothing else happens.
    fn wait_for(&self, policy: &Policy, need: i64, now_ms: i64) -> Option<u64> {
        let mut freed = 0_i64;
        let by_entries = self.entries.iter().find_map(|entry| {
            freed = freed.saturating_add(entry.amount);
            (freed >= need).then_some(entry.frees_at_ms)
        });
        let at_ms = match policy {
            Policy::Window { .. } | Policy::InFlight { .. } => by_entries?,
            Policy::Budget { resets_at_ms, .. } => by_entries.map_or(*resets_at_ms, |at| at.min(*resets_at_ms)),
        };
        Some(wait_until(at_ms, now_ms))
    }

    /// Takes what the ask takes from this policy and says what that was.
    pub(super) fn take(&mut self, policy: &Policy, ask: &Ask<'_>, now_ms: i64) -> Option<Entry> {
        let (amount, lives_ms) = match policy {
            Policy::Window { window_ms, .. } => (1, *window_ms),
            Policy::InFlight { .. } => (1, ask.slot_ttl_ms),
            Policy::Budget { .. } => (ask.hold_nanousd, ask.hold_ttl_ms),
        };
        self.is_open = true;
        if amount == 0 {
            return None;
        }
        let frees_at_ms = now_ms.saturating_add(i64::try_from(lives_ms).unwrap_or(i64::MAX));
        let entry = Entry { call_id: ask.call_id.as_str().to_owned(), amount, frees_at_ms };
        self.insert(entry.clone());
        Some(entry)
    }

    /// What a call takes from a window that did not hear of it when it was made; nothing where it has it, or where it
    /// would be gone by now. A clock that is ahead must not make an entry live longer than the window is.
    pub(super) fn take_late(&mut self, policy: &Policy, end: &End<'_>, now_ms: i64) -> Option<Entry> {
        let (Policy::Window { window_ms, .. }, Some(made_ms)) = (policy, end.made_ms) else { return None };
        let frees_at_ms = made_ms.min(now_ms).saturating_add(i64::try_from(*window_ms).unwrap_or(i64::MAX));
        let call_id = end.call_id.as_str();
        if frees_at_ms <= now_ms || self.entries.iter().any(|entry| entry.call_id == call_id) {
            return None;
        }
        let entry = Entry { call_id: call_id.to_owned(), amount: 1, frees_at_ms };
        self.insert(entry.clone());
        Some(entry)
    }

    fn insert(&mut self, entry: Entry) {
        let place = self.entries.partition_point(|earlier| earlier.frees_at_ms <= entry.frees_at_ms);
        self.entries.insert(place, entry);
    }

    /// Gives a call's entry back.
    pub(super) fn give_back(&mut self, call_id: &str) {
        self.entries.retain(|entry| entry.call_id != call_id);
    }

    /// What a settled call adds to `spent`. A lost account learns of it when it is opened.
    pub(super) fn settle(&mut self, policy: &Policy, call_id: &str, cost: i64, epoch_ms: i64) -> i64 {
        let is_counted = self.entries.iter().any(|entry| entry.call_id == call_id && entry.amount == 0);
        self.give_back(call_id);
        if is_counted || !(self.is_open || began_since(policy, epoch_ms)) {
            return 0;
        }
        self.is_open = true;
        self.spent = self.spent.saturating_add(cost);
        cost
    }

    /// The budget, where what was added has brought it above its limit.
    pub(super) fn overspent(&self, policy: &Policy, adds: i64) -> Option<Overspent> {
        Overspent::check(policy, self.spent).filter(|_| adds > 0)
    }

    /// What the account says.
    pub(super) fn figures(&self, policy: &Policy, epoch_ms: i64) -> Figures {
        match self.is_open {
            true => Figures::Open { spent_nanousd: self.spent, held_nanousd: self.used().saturating_sub(self.spent) },
            false if began_since(policy, epoch_ms) => Figures::Untouched,
            false => Figures::Lost,
        }
    }

    /// The account that an opening describes; `known` says what this store remembers of a call.
    pub(super) fn opened(opening: &Opening, known: impl Fn(&str) -> Option<Call>) -> Self {
        let mut account = Self { is_open: true, spent: opening.settled_nanousd, entries: Vec::new() };
        for call_id in &opening.settling {
            if !matches!(known(call_id.as_str()), Some(Call::Settled(_))) {
                let call_id = call_id.as_str().to_owned();
                account.entries.push(Entry { call_id, amount: 0, frees_at_ms: i64::MAX });
            }
        }
        for call in &opening.running {
            let amount = match known(call.call_id.as_str()) {
                Some(Call::Settled(cost)) => {
                    account.spent = account.spent.saturating_add(cost);
                    continue;
                }
                Some(Call::Held(hold)) => hold,
                None => call.hold_nanousd,
            };
            let call_id = call.call_id.as_str().to_owned();
            account.entries.push(Entry { call_id, amount, frees_at_ms: call.ends_at_ms });
        }
        account.entries.retain(|entry| entry.amount > 0 || entry.frees_at_ms == i64::MAX);
        account.entries.sort_by_key(|entry| entry.frees_at_ms);
        account
    }
}

fn wait_until(at_ms: i64, now_ms: i64) -> u64 {
    u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0).max(1)
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// It holds this much.
    Held(i64),
    /// It cost this much.
    Settled(i64),
}

fn began_since(policy: &Policy, epoch_ms: i64) -> bool {
    matches!(policy, Policy::Budget { starts_at_ms, .. } if *starts_at_ms >= epoch_ms)
}

/// What keeps budgets from being read; `now_ms` is none where a call goes on in the period in which it began.
pub(super) fn obstacle<'a>(
    accounts: impl Iterator<Item = (&'a Policy, &'a Account)>,
    epoch_ms: i64,
    now_ms: Option<i64>,
) -> Option<Obstacle> {
    let mut lost = Vec::new();
    for (at, (policy, account)) in accounts.enumerate() {
        let Policy::Budget { starts_at_ms, resets_at_ms, .. } = policy else { continue };
        if let Some(now_ms) = now_ms.filter(|now| now < starts_at_ms || now >= resets_at_ms) {
            return Some(Obstacle::OtherPeriod { now_ms });
        }
        if !account.is_open && !began_since(policy, epoch_ms) {
            lost.push(at);
        }
    }
    if lost.is_empty() { None } else { Some(Obstacle::Lost { accounts: lost, epoch_ms }) }
}

/// Holds whose slot is over, at most eight a budget.
pub(super) fn overdue<'a>(
    accounts: impl Iterator<Item = (&'a Policy, &'a Account)>,
    ask: &Ask<'_>,
    now_ms: i64,
) -> Vec<Overdue> {
    let old = now_ms.saturating_add(i64::try_from(ask.hold_ttl_ms - ask.slot_ttl_ms).unwrap_or(i64::MAX));
    let mut holds: Vec<Overdue> = Vec::new();
    for (_, account) in accounts.filter(|(policy, _)| policy.is_budget()) {
        for entry in account.entries.iter().filter(|entry| entry.amount > 0 && entry.frees_at_ms <= old).take(8) {
            let hold = Overdue { call_id: CallId(entry.call_id.clone()), hold_nanousd: entry.amount };
            if !holds.contains(&hold) {
                holds.push(hold);
            }
        }
    }
    holds
}

#[cfg(test)]
#[path = "algebra_tests.rs"]
mod tests;
