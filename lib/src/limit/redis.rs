//! The limiter in Redis: one script, one round trip per operation. Both kinds of Redis run the same text.

use super::{
    Ask, Clock, Decision, Extension, Figures, Identity, LimitError, MARKER_MS, Obstacle, Opening, Overdue, Overspent,
    Policy, Reading, Settled, Standing,
    algebra::End,
    decision::Verdict,
    identity::{Claim, Note, Refusal},
    scripts::{DROP, EXTEND, FIGURES, FORGET, NOTE, OPEN, PEEK, RELEASE, RESERVE, SETTLE},
};
use crate::{
    cache::{Arg, Cache, CacheError, Reply},
    ids::CallId,
};

/// The limiter in Redis.
///
/// Keys, after the cache's prefix; all of them expire by themselves:
/// `limit:window:…`, `limit:in_flight:…` (sorted sets of call ids), `limit:budget:…` (hash of spent and held),
/// `limit:holds:budget:…` (sorted set of holds), `limit:call:ID` (what became of a call), `limit:epoch` (when this
/// Redis began to remember), `limit:identity:…` (plans in force, and what is over).
#[derive(Clone, Debug)]
pub struct RedisLimiter {
    cache: Cache,
    pub(super) clock: Clock,
}

impl RedisLimiter {
    pub(super) fn new(cache: Cache) -> Self {
        Self { cache, clock: Clock::Store }
    }

    pub(super) async fn reserve(&self, ask: &Ask<'_>) -> Result<Decision, LimitError> {
        let claim = ask.identity.map(|identity| identity.claim());
        let [count, plan, issued] = identity_args(claim.as_ref());
        let args = [
            self.clock_arg(),
            Arg::from(ask.call_id.as_str()),
            Arg::from(ask.hold_nanousd),
            Arg::from(ask.slot_ttl_ms),
            Arg::from(ask.hold_ttl_ms),
            Arg::from(ask.hold_ttl_ms.saturating_add(MARKER_MS)),
            count,
            plan,
            issued,
        ];
        let keys = self.keys_with(Some(ask.call_id), claim.as_ref(), ask.policies);
        let reply = self.cache.eval(&RESERVE, &keys, &with(args, ask.policies)).await?;
        let list = reply.list()?;
        if let Some(refusal) = refusal(list) {
            return Ok(refusal.into());
        }
        if let Some(obstacle) = obstacle(list)? {
            return Ok(Decision::Obstructed(obstacle));
        }
        let count = 3 + 3 * ask.policies.len();
        let (figures, overdue) = list.split_at_checked(count).unwrap_or((list, &[]));
        let numbers = numbers(figures, count)?;
        let parts = ask.policies.iter().zip(numbers[3..].chunks_exact(3)).map(|(policy, part)| {
            let verdict = if part[2] == -2 { Verdict::Fits } else { Verdict::Violated { wait_ms: wait(part[2]) } };
            (Standing::new(policy, part[0], wait(part[1])), verdict)
        });
        if matches!(self.clock, Clock::Store) {
            crate::clock::learn_shared(numbers[1]);
        }
        let overdue = overdue.iter().map(overdue_hold).collect::<Result<_, _>>()?;
        Ok(Decision::from_verdicts(parts.collect(), numbers[1], numbers[2], overdue))
    }

    pub(super) async fn extend(&self, ask: &Ask<'_>) -> Result<Extension, LimitError> {
        let args = [
            self.clock_arg(),
            Arg::from(ask.call_id.as_str()),
            Arg::from(ask.hold_nanousd),
            Arg::from(ask.hold_ttl_ms),
            Arg::from(ask.hold_ttl_ms.saturating_add(MARKER_MS)),
        ];
        let (keys, args) = (self.keys(Some(ask.call_id), ask.policies), with(args, ask.policies));
        let reply = self.cache.eval(&EXTEND, &keys, &args).await?;
        let list = reply.list()?;
        if let Some(obstacle) = obstacle(list)? {
            return Ok(Extension::Obstructed(obstacle));
        }
        Ok(if numbers(list, 1)?[0] == 1 { Extension::Granted } else { Extension::Refused })
    }

    pub(super) async fn open(&self, opening: &Opening) -> Result<(), LimitError> {
        let prefix = self.cache.prefix();
        let account = opening.policy.account();
        let mut keys =
            vec![self.epoch_key(), format!("{prefix}limit:holds:{account}"), format!("{prefix}limit:{account}")];
        let running = opening.running.iter().map(|call| &call.call_id);
        keys.extend(opening.settling.iter().chain(running).map(|id| format!("{prefix}limit:call:{id}")));
        let Policy::Budget { resets_at_ms, .. } = &opening.policy else {
            return Err(LimitError::Invalid("only a budget can be opened"));
        };
        let mut args = vec![
            self.clock_arg(),
            Arg::from(opening.settled_nanousd),
            Arg::from(*resets_at_ms),
            Arg::from(MARKER_MS),
            Arg::from(i64::try_from(opening.settling.len()).unwrap_or(i64::MAX)),
        ];
        args.extend(opening.settling.iter().map(|id| Arg::from(id.as_str())));
        for call in &opening.running {
            args.extend([Arg::from(call.call_id.as_str()), Arg::from(call.hold_nanousd), Arg::from(call.ends_at_ms)]);
        }
        self.cache.eval(&OPEN, &keys, &args).await?;
        Ok(())
    }

    pub(super) async fn settle(&self, end: &End<'_>, policies: &[Policy]) -> Result<Settled, LimitError> {
        let made = end.made_ms.map_or_else(|| Arg::from(""), Arg::from);
        let (call_id, cost) = (Arg::from(end.call_id.as_str()), Arg::from(end.cost_nanousd));
        let args = with([self.clock_arg(), call_id, cost, Arg::from(MARKER_MS), made], policies);
        let reply = self.cache.eval(&SETTLE, &self.keys(Some(end.call_id), policies), &args).await?;
        let numbers = numbers(reply.list()?, reply.list()?.len())?;
        let (at_ms, spent) = numbers.split_first().ok_or_else(|| CacheError::Protocol("an empty answer".to_owned()))?;
        let overspent = spent.chunks_exact(2).filter_map(|pair| {
            let policy = policies.get(usize::try_from(pair[0]).ok()?)?;
            Overspent::check(policy, pair[1])
        });
        Ok(Settled { at_ms: *at_ms, overspent: overspent.collect() })
    }

    pub(super) async fn release(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        let args = [self.clock_arg(), Arg::from(call_id.as_str())];
        self.cache.eval(&RELEASE, &self.keys(Some(call_id), policies), &with(args, policies)).await?;
        Ok(())
    }

    pub(super) async fn forget(&self, hold: &Overdue, policies: &[Policy]) -> Result<(), LimitError> {
        let args = [self.clock_arg(), Arg::from(format!("{}:{}", hold.call_id, hold.hold_nanousd))];
        self.cache.eval(&FORGET, &self.keys(None, policies), &with(args, policies)).await?;
        Ok(())
    }

    pub(super) async fn figures(&self, budgets: &[Policy]) -> Result<Vec<Figures>, LimitError> {
        let reply = self.cache.eval(&FIGURES, &self.keys(None, budgets), &with([self.clock_arg()], budgets)).await?;
        let numbers = numbers(reply.list()?, 3 * budgets.len())?;
        let figures = numbers.chunks_exact(3).map(|part| match part[0] {
            1 => Figures::Open { spent_nanousd: part[1], held_nanousd: part[2] },
            0 => Figures::Untouched,
            _ => Figures::Lost,
        });
        Ok(figures.collect())
    }

    pub(super) async fn drop_accounts(&self, budgets: &[Policy]) -> Result<(), LimitError> {
        self.cache.eval(&DROP, &self.keys(None, budgets), &with([self.clock_arg()], budgets)).await?;
        Ok(())
    }

    pub(super) async fn look(
        &self,
        identity: Option<Identity<'_>>,
        policies: &[Policy],
    ) -> Result<Reading, LimitError> {
        let claim = identity.map(|identity| identity.claim());
        let [count, plan, issued] = identity_args(claim.as_ref());
        let args = with([self.clock_arg(), count, plan, issued], policies);
        let reply = self.cache.eval(&PEEK, &self.keys_with(None, claim.as_ref(), policies), &args).await?;
        let list = reply.list()?;
        if let Some(refusal) = refusal(list) {
            return Ok(refusal.into());
        }
        if let Some(obstacle) = obstacle(list)? {
            return Ok(Reading::Obstructed(obstacle));
        }
        let numbers = numbers(list, 1 + 2 * policies.len())?;
        let parts = policies.iter().zip(numbers[1..].chunks_exact(2));
        Ok(Reading::Standings(parts.map(|(policy, part)| Standing::new(policy, part[0], wait(part[1]))).collect()))
    }

    pub(super) async fn note(&self, note: &Note) -> Result<(), LimitError> {
        let keys = [format!("{}limit:{}", self.cache.prefix(), note.key)];
        let later = if note.keeps_later { "later" } else { "" };
        let args = [Arg::from(note.value.as_str()), Arg::from(note.ttl_ms), Arg::from(later)];
        self.cache.eval(&NOTE, &keys, &args).await?;
        Ok(())
    }

    pub(super) async fn now_ms(&self) -> Result<i64, LimitError> {
        if let Some(fixed_ms) = self.clock.fixed_ms() {
            return Ok(fixed_ms);
        }
        let reply = self.cache.command(&[Arg::from("TIME")]).await?;
        match reply.list()? {
            [seconds, micros] => Ok(seconds.int()? * 1_000 + micros.int()? / 1_000),
            _ => Err(CacheError::Protocol("a time that is none".to_owned()).into()),
        }
    }

    fn epoch_key(&self) -> String {
        format!("{}limit:epoch", self.cache.prefix())
    }

    fn clock_arg(&self) -> Arg {
        self.clock.fixed_ms().map_or_else(|| Arg::from(""), Arg::from)
    }

    fn keys(&self, call_id: Option<&CallId>, policies: &[Policy]) -> Vec<String> {
        self.keys_with(call_id, None, policies)
    }

    fn keys_with(&self, call_id: Option<&CallId>, claim: Option<&Claim>, policies: &[Policy]) -> Vec<String> {
        let prefix = self.cache.prefix();
        let mut keys = Vec::with_capacity(5 + 2 * policies.len());
        keys.push(self.epoch_key());
        keys.extend(call_id.map(|id| format!("{prefix}limit:call:{id}")));
        if let Some(claim) = claim {
            let notes = [Some(&claim.plan_key), Some(&claim.before_key), claim.session_key.as_ref()];
            keys.extend(notes.into_iter().flatten().map(|key| format!("{prefix}limit:{key}")));
        }
        for policy in policies {
            let account = policy.account();
            if matches!(policy, Policy::Budget { .. }) {
                keys.push(format!("{prefix}limit:holds:{account}"));
            }
            keys.push(format!("{prefix}limit:{account}"));
        }
        keys
    }
}

/// A script's own arguments, then the policies: each its kind, its limit, and the times of its kind.
fn with<const N: usize>(args: [Arg; N], policies: &[Policy]) -> Vec<Arg> {
    let mut all = Vec::with_capacity(N + 4 * policies.len());
    all.extend(args);
    for policy in policies {
        let limit = Arg::from(policy.limit());
        match policy {
            Policy::Window { window_ms, .. } => all.extend([Arg::from("window"), limit, Arg::from(*window_ms)]),
            Policy::InFlight { .. } => all.extend([Arg::from("in_flight"), limit]),
            Policy::Budget { starts_at_ms, resets_at_ms, .. } => {
                all.extend([Arg::from("budget"), limit, Arg::from(*resets_at_ms), Arg::from(*starts_at_ms)]);
            }
        }
    }
    all
}

/// How many keys the identity has, its plan, and when its token was made.
fn identity_args(claim: Option<&Claim>) -> [Arg; 3] {
    let Some(claim) = claim else { return [Arg::from(0_i64), Arg::from(""), Arg::from(0_i64)] };
    let keys = if claim.session_key.is_some() { 3_i64 } else { 2 };
    [Arg::from(keys), Arg::from(claim.plan.as_str()), Arg::from(claim.issued_ms)]
}

/// What a script says of the identity instead of an answer.
fn refusal(list: &[Reply]) -> Option<Refusal> {
    match list {
        [Reply::Int(-3)] => Some(Refusal::Revoked),
        [Reply::Int(-4), Reply::Text(plan)] => {
            Some(Refusal::PlanChanged { plan: String::from_utf8_lossy(plan).into_owned() })
        }
        _ => None,
    }
}

fn numbers(list: &[Reply], count: usize) -> Result<Vec<i64>, CacheError> {
    let numbers = list.iter().map(Reply::int).collect::<Result<Vec<_>, _>>()?;
    if numbers.len() == count {
        Ok(numbers)
    } else {
        Err(CacheError::Protocol(format!("expected {count} numbers, got {}", numbers.len())))
    }
}

/// A hold, as ID:AMOUNT.
fn overdue_hold(reply: &Reply) -> Result<Overdue, CacheError> {
    let read = reply.text()?.rsplit_once(':').and_then(|(id, amount)| Some((id, amount.parse().ok()?)));
    let (id, hold_nanousd) = read.ok_or_else(|| CacheError::Protocol("a hold that is none".to_owned()))?;
    Ok(Overdue { call_id: CallId(id.to_owned()), hold_nanousd })
}

/// What a script says instead of an answer.
fn obstacle(list: &[Reply]) -> Result<Option<Obstacle>, CacheError> {
    match list.first().map(Reply::int).transpose()? {
        Some(-1) => Ok(Some(Obstacle::OtherPeriod { now_ms: numbers(list, 2)?[1] })),
        Some(-2) => {
            let numbers = numbers(list, list.len())?;
            let epoch_ms = numbers.get(1).copied().unwrap_or_default();
            let accounts = numbers.iter().skip(2).filter_map(|at| usize::try_from(*at).ok()).collect();
            Ok(Some(Obstacle::Lost { accounts, epoch_ms }))
        }
        Some(_) => Ok(None),
        None => Err(CacheError::Protocol("an empty answer".to_owned())),
    }
}

/// Milliseconds, where -1 is never.
fn wait(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}
