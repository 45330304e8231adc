//! The limiter in Redis: one script, one round trip per operation. Both kinds of Redis run the same text.

use super::{
    Ask, Clock, Decision, Identity, LimitError, MARKER_MS, Policy, Standing,
    decision::Verdict,
    identity::{Claim, Note},
    scripts::{NOTE, PEEK, RELEASE, RESERVE, SETTLE},
};
use crate::{
    cache::{Arg, Cache, CacheError, Reply},
    ids::CallId,
};

/// The limiter in Redis.
///
/// Keys, after the cache's prefix; all of them expire by themselves:
/// `limit:window:…`, `limit:in_flight:…` (sorted sets of call ids), `limit:budget:…` (hash of spent and held),
/// `limit:holds:budget:…` (sorted set of holds), `limit:call:ID` (what became of a call), `limit:identity:…` (the
/// plan in force, and what is over).
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
        let hold_ttl = ask.hold_ttl_ms;
        let claim = ask.identity.map(|identity| identity.claim());
        let [count, plan, issued] = identity_args(claim.as_ref());
        let args = [
            self.clock_arg(),
            Arg::from(ask.call_id.as_str()),
            Arg::from(ask.hold_nanousd),
            Arg::from(hold_ttl),
            Arg::from(hold_ttl.saturating_add(MARKER_MS)),
            count,
            plan,
            issued,
        ];
        let keys = self.keys(Some(ask.call_id), claim.as_ref(), ask.policies);
        let reply = self.cache.eval(&RESERVE, &keys, &with(args, ask.policies)).await?;
        if let Some(refusal) = identity_refusal(&reply)? {
            return Ok(refusal);
        }
        let numbers = numbers(&reply, 1 + 3 * ask.policies.len())?;
        let parts = ask.policies.iter().zip(numbers[1..].chunks_exact(3)).map(|(policy, part)| {
            let verdict = if part[2] == -2 { Verdict::Fits } else { Verdict::Violated { wait_ms: wait(part[2]) } };
            (Standing::new(policy, part[0], wait(part[1])), verdict)
        });
        Ok(Decision::from_verdicts(parts.collect()))
    }

    pub(super) async fn settle(&self, call_id: &CallId, policies: &[Policy], cost: i64) -> Result<(), LimitError> {
        let args = [self.clock_arg(), Arg::from(call_id.as_str()), Arg::from(cost), Arg::from(MARKER_MS)];
        self.cache.eval(&SETTLE, &self.keys(Some(call_id), None, policies), &with(args, policies)).await?;
        Ok(())
    }

    pub(super) async fn release(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        let args = [self.clock_arg(), Arg::from(call_id.as_str())];
        self.cache.eval(&RELEASE, &self.keys(Some(call_id), None, policies), &with(args, policies)).await?;
        Ok(())
    }

    pub(super) async fn look(
        &self,
        identity: Option<Identity<'_>>,
        policies: &[Policy],
    ) -> Result<Decision, LimitError> {
        let claim = identity.map(|identity| identity.claim());
        let [count, plan, issued] = identity_args(claim.as_ref());
        let args = with([self.clock_arg(), count, plan, issued], policies);
        let reply = self.cache.eval(&PEEK, &self.keys(None, claim.as_ref(), policies), &args).await?;
        if let Some(refusal) = identity_refusal(&reply)? {
            return Ok(refusal);
        }
        let numbers = numbers(&reply, 1 + 2 * policies.len())?;
        let parts = policies.iter().zip(numbers[1..].chunks_exact(2));
        let standings = parts.map(|(policy, part)| Standing::new(policy, part[0], wait(part[1]))).collect();
        Ok(Decision::Admitted { standings })
    }

    pub(super) async fn note(&self, note: &Note) -> Result<(), LimitError> {
        let keys = [format!("{}limit:{}", self.cache.prefix(), note.key)];
        let later = if note.keeps_later { "later" } else { "" };
        let args = [Arg::from(note.value.as_str()), Arg::from(note.ttl_ms), Arg::from(later)];
        self.cache.eval(&NOTE, &keys, &args).await?;
        Ok(())
    }

    fn clock_arg(&self) -> Arg {
        self.clock.fixed_ms().map_or_else(|| Arg::from(""), Arg::from)
    }

    fn keys(&self, call_id: Option<&CallId>, claim: Option<&Claim>, policies: &[Policy]) -> Vec<String> {
        let prefix = self.cache.prefix();
        let mut keys = Vec::with_capacity(4 + 2 * policies.len());
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

/// A script's own arguments, then three per policy.
fn with<const N: usize>(args: [Arg; N], policies: &[Policy]) -> Vec<Arg> {
    let mut all = Vec::with_capacity(N + 3 * policies.len());
    all.extend(args);
    for policy in policies {
        let (kind, span) = match policy {
            Policy::Window { window_ms, .. } => ("window", Arg::from(*window_ms)),
            Policy::Budget { resets_at_ms, .. } => ("budget", Arg::from(*resets_at_ms)),
            Policy::InFlight { .. } => ("in_flight", Arg::from(0_i64)),
        };
        all.extend([Arg::from(kind), Arg::from(policy.limit()), span]);
    }
    all
}

/// How many keys the identity has, its plan, and when its token was made.
fn identity_args(claim: Option<&Claim>) -> [Arg; 3] {
    let Some(claim) = claim else { return [Arg::from(0_i64), Arg::from(""), Arg::from(0_i64)] };
    let keys = if claim.session_key.is_some() { 3_i64 } else { 2 };
    [Arg::from(keys), Arg::from(claim.plan.as_str()), Arg::from(claim.issued_ms)]
}

fn identity_refusal(reply: &Reply) -> Result<Option<Decision>, CacheError> {
    match reply.list()? {
        [Reply::Int(-1)] => Ok(Some(Decision::Revoked)),
        [Reply::Int(-2), Reply::Text(plan)] => {
            Ok(Some(Decision::PlanChanged { plan: String::from_utf8_lossy(plan).into_owned() }))
        }
        _ => Ok(None),
    }
}

fn numbers(reply: &Reply, count: usize) -> Result<Vec<i64>, CacheError> {
    let numbers = reply.list()?.iter().map(Reply::int).collect::<Result<Vec<_>, _>>()?;
    if numbers.len() == count {
        Ok(numbers)
    } else {
        Err(CacheError::Protocol(format!("expected {count} numbers, got {}", numbers.len())))
    }
}

/// Milliseconds, where -1 is never.
fn wait(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}
