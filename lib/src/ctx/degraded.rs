//! What an instance decides while the limiter is away: its share of a caller's windows and slots out of its own memory,
//! and budgets out of the ledger. The limiter hears of it when it is back.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use super::{Ctx, admission::Hold, price::PricedCall, refusal::Refusal};
use crate::{
    Error,
    auth::Caller,
    books::{Closing, scope, unavailable},
    cache::CacheError,
    clock,
    http::{HeaderName, HeaderValue},
    ids::CallId,
    limit::{Ask, Decision, LimitError, Limiter, Policy, Standing},
    sabotage::Protection,
    store::{BudgetUse, LedgerBudget, Money},
};

/// Networks and accounts that an instance counts for itself, at most.
const ACCOUNTS_MAX: usize = 20_000;
/// The limiter may be back at any moment, so nobody is told to wait much longer, in milliseconds.
const RETRY_MAX_MS: u64 = 30_000;

/// What this instance counts for itself.
pub(super) fn here() -> &'static Limiter {
    static HERE: OnceLock<Limiter> = OnceLock::new();
    HERE.get_or_init(|| Limiter::memory(ACCOUNTS_MAX))
}

/// Whether the error is the limiter's own, so that an instance may decide for itself.
pub(super) fn is_outage(error: &LimitError) -> bool {
    matches!(error, LimitError::Cache(_))
}

/// What a call holds that the limiter did not decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenHere {
    /// The limiter was asked and did not answer, so it may hold something all the same.
    pub limiter_was_asked: bool,
}

/// A call that the limiter did not answer for.
pub(super) struct Unanswered<'a> {
    pub(super) caller: &'a Caller,
    pub(super) call: &'a PricedCall,
    pub(super) ask: Ask<'a>,
    /// When, by the limiter's clock: the policies are those of this moment.
    pub(super) now_ms: i64,
}

impl Ctx {
    /// Takes a call here, because the limiter gave an error instead of a decision.
    ///
    /// # Errors
    /// The limiter's own where it is none that an instance may decide on; `limit_exceeded`, `too_many_in_flight`.
    pub(super) async fn reserve_here(&self, unanswered: &Unanswered<'_>, error: LimitError) -> Result<Hold, Error> {
        let Unanswered { caller, call, ask, now_ms } = unanswered;
        let limiter_was_asked = !matches!(error, LimitError::Invalid(_) | LimitError::Cache(CacheError::Away));
        let decided = match is_outage(&error) {
            true => self.share(ask).await,
            false => Err(unavailable(error)),
        };
        let (refusal, policies) = match decided {
            Ok((Decision::Admitted { standings, .. }, _)) => {
                self.note("call_id", ask.call_id.as_str());
                self.note("model", call.model.id);
                let here = Some(TakenHere { limiter_was_asked });
                let (call_id, policies) = (ask.call_id.clone(), ask.policies.to_vec());
                return Ok(Hold { call_id, policies, standings, taken_ms: *now_ms, epoch_ms: None, here });
            }
            Ok((Decision::Refused { violated, retry_after_ms, standings, .. }, policies)) => {
                (Ok((violated, retry_after_ms, standings)), policies)
            }
            Ok(_) => (Err(Error::internal("windows and slots that were neither free nor full")), Vec::new()),
            Err(error) => (Err(error), Vec::new()),
        };
        if limiter_was_asked {
            self.withdraw_later(ask.call_id, ask.policies);
        }
        let (violated, retry_after_ms, standings) = refusal?;
        let retry_after_ms = retry_after_ms.map(|ms| ms.min(RETRY_MAX_MS));
        let (policies, violated, standings) = (&policies, &violated, &standings);
        Err(Refusal { caller, call, policies, violated, retry_after_ms, standings }.error())
    }

    /// Takes an ask in this instance's share of its windows and slots, and says on the answer that it did.
    pub(super) async fn share(&self, ask: &Ask<'_>) -> Result<(Decision, Vec<Policy>), Error> {
        self.say_degraded();
        let policies = shares(ask.policies, self.config().degraded.expected_instances);
        let decision = here().reserve(&Ask { policies: &policies, identity: None, hold_nanousd: 0, ..*ask }).await;
        let decision = decision.map_err(unavailable)?;
        self.add_limit_headers(&policies, decision.standings());
        Ok((decision, policies))
    }

    /// Tells the client that the limiter did not decide.
    pub(super) fn say_degraded(&self) {
        self.note("degraded", "limiter");
        self.add_header(HeaderName::from_static("x-purser-degraded"), HeaderValue::from_static("limiter"));
    }

    /// Gives back what a call took here.
    pub(super) async fn release_here(&self, hold: &Hold, here_only: TakenHere) {
        // Windows and slots of a share have the same names.
        let _ = here().release(&hold.call_id, &calls_only(&hold.policies)).await;
        if here_only.limiter_was_asked {
            self.withdraw_later(&hold.call_id, &hold.policies);
        }
    }

    /// Frees the slot of a call that was taken here.
    pub(super) async fn leave_here(&self, closing: &Closing) {
        if closing.is_degraded {
            let call_id = CallId(closing.settlement.call_id.clone());
            let _ = here().settle(&call_id, &calls_only(&closing.policies), 0).await;
        }
    }

    /// Why the ledger had no room for a call that has so much already; none where it has by now.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub(super) async fn ledger_refusal(
        &self,
        caller: &Caller,
        call: &PricedCall,
        hold: &Hold,
        held_nanousd: i64,
    ) -> Result<Option<Error>, Error> {
        let policies: Vec<_> = hold.policies.iter().filter(|policy| policy.is_budget()).cloned().collect();
        let budgets = ledger_budgets(&policies);
        let uses = self.time("store", self.store().await?.budget_uses(&budgets)).await?;
        let needed = call.ceiling_nanousd.max(1);
        let (mut standings, mut violated, mut retry_after_ms) = (Vec::new(), Vec::new(), Some(0));
        for (policy, used) in policies.iter().zip(&uses) {
            let used = BudgetUse { running_nanousd: used.running_nanousd.saturating_sub(held_nanousd), ..*used };
            let standing = standing(policy, &used, hold.taken_ms);
            if i64::try_from(standing.remaining).unwrap_or(i64::MAX) < needed {
                violated.push(standing.policy.clone());
                let wait = wait_ms(policy, &used, needed, hold.taken_ms);
                retry_after_ms = retry_after_ms.zip(wait).map(|(longest, wait): (u64, u64)| longest.max(wait));
            }
            standings.push(standing);
        }
        if violated.is_empty() {
            return Ok(None);
        }
        let (policies, violated, standings) = (&policies, &violated, &standings);
        Ok(Some(Refusal { caller, call, policies, violated, retry_after_ms, standings }.error()))
    }

    /// Has the limiter told of calls that it does not know, behind the client's back: as long as there are any, every
    /// call has to ask the ledger.
    pub(super) fn bring_in_degraded_later(&self) {
        static BRINGING: AtomicBool = AtomicBool::new(false);
        if BRINGING.swap(true, Ordering::Relaxed) {
            return;
        }
        let ctx = self.clone();
        self.after(async move {
            let done = async { ctx.books().await?.sweep_ledger(clock::shared_now_ms()).await };
            if let Err(error) = done.await {
                // The next one finds them again.
                ctx.note("bring_in", error.to_string());
            }
            BRINGING.store(false, Ordering::Relaxed);
        });
    }
}

/// Whose word it is that there is money for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The limiter's, if it knows of all calls.
    Limiter,
    /// The limiter's, and the ledger's, since the limiter does not know of all calls.
    LedgerToo,
    /// The ledger's: the limiter does not know of this call, or not all of it.
    LedgerAlone,
}

/// The same as the store takes it, where the limiter gave its own at a time by its clock.
pub(super) fn money<'a>(word: Word, at_ms: i64, budgets: &'a [LedgerBudget<'a>]) -> Money<'a> {
    let is_degraded = word == Word::LedgerAlone;
    match word {
        _ if budgets.is_empty() => Money::Free { is_degraded },
        Word::Limiter => Money::Limiter { at_ms },
        _ if Protection::DegradedBudget.is_off() => Money::Free { is_degraded },
        Word::LedgerToo | Word::LedgerAlone => Money::Ledger { budgets, is_degraded },
    }
}

/// The budgets among policies, as the ledger adds them up.
pub(super) fn ledger_budgets(policies: &[Policy]) -> Vec<LedgerBudget<'_>> {
    let budget = |policy| match policy {
        &Policy::Budget { limit_nanousd, starts_at_ms, resets_at_ms, .. } => {
            let scope = scope(policy)?;
            Some(LedgerBudget { scope, since_ms: starts_at_ms, until_ms: resets_at_ms, limit_nanousd })
        }
        Policy::Window { .. } | Policy::InFlight { .. } => None,
    };
    policies.iter().filter_map(budget).collect()
}

/// An instance's share: at least one, unless there is none to share.
fn shares(policies: &[Policy], instances: u64) -> Vec<Policy> {
    let mut shares = calls_only(policies);
    for policy in &mut shares {
        if let Policy::Window { limit, .. } | Policy::InFlight { limit, .. } = policy {
            *limit = (*limit / instances).max((*limit).min(1));
        }
    }
    shares
}

fn calls_only(policies: &[Policy]) -> Vec<Policy> {
    policies.iter().filter(|policy| !policy.is_budget()).cloned().collect()
}

fn standing(policy: &Policy, used: &BudgetUse, now_ms: i64) -> Standing {
    let Policy::Budget { name, limit_nanousd, resets_at_ms, .. } = policy else {
        return Standing { policy: policy.name().to_owned(), is_money: false, limit: 0, remaining: 0, reset_ms: None };
    };
    let left = limit_nanousd.saturating_sub(used.settled_nanousd).saturating_sub(used.running_nanousd);
    let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
    Standing {
        policy: name.clone(),
        is_money: true,
        limit: unsigned(*limit_nanousd),
        remaining: unsigned(left),
        reset_ms: Some(unsigned(resets_at_ms.saturating_sub(now_ms))),
    }
}

/// How long to wait for room: until the period is over, or, where only running calls are in the way, a little.
fn wait_ms(policy: &Policy, used: &BudgetUse, needed: i64, now_ms: i64) -> Option<u64> {
    let Policy::Budget { limit_nanousd, resets_at_ms, .. } = policy else { return None };
    if needed > *limit_nanousd {
        return None;
    }
    let until_reset = u64::try_from(resets_at_ms.saturating_sub(now_ms)).unwrap_or(0);
    let fits_when_they_end = used.settled_nanousd.saturating_add(needed) <= *limit_nanousd;
    Some(if fits_when_they_end { until_reset.min(RETRY_MAX_MS) } else { until_reset })
}
