//! May this call be made? One limiter round trip decides; a second one only where something has to be put right first.

use serde_json::Value;

use super::{
    Ctx,
    degraded::{TakenHere, Unanswered, is_outage},
    plan_in_force::{identity, plan_changed, revoked},
    policies::policies,
    price::PricedCall,
    refusal::Refusal,
};
use crate::{
    Error,
    auth::Caller,
    books::{hold_ttl_ms, unavailable, unavailable_now},
    chat::limits_json,
    clock,
    ids::CallId,
    limit::{Ask, Decision, Obstacle, Overdue, Policy, Reading, Standing},
    sabotage::Protection,
};

/// How often an ask is repeated: a wrong clock, lost accounts and dead calls can come together.
const ROUNDS: usize = 5;

/// A call that has been admitted: what it holds, and in which policies.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The call.
    pub call_id: CallId,
    /// The policies that it was taken in.
    pub policies: Vec<Policy>,
    /// How they stand after it.
    pub standings: Vec<Standing>,
    /// When it was taken, by the limiter's clock: the call belongs to the day and month of this moment.
    pub taken_ms: i64,
    /// When the limiter's memory began; none where the call is in no budget, so that it does not matter.
    pub epoch_ms: Option<i64>,
    /// Set where this instance took it, because the limiter was away.
    pub here: Option<TakenHere>,
}

impl Hold {
    /// The limits as clients see them.
    pub fn limits(&self) -> Value {
        standings_json(&self.standings)
    }

    /// What was held, as the ledger keeps it: enough to free it without this process.
    pub fn record(&self) -> String {
        serde_json::to_string(&self.policies).unwrap_or_default()
    }
}

/// The shape of limits everywhere: the caller's own, a budget's in nanodollars.
pub fn standings_json(standings: &[Standing]) -> Value {
    limits_json(standings.iter().filter(|one| super::policies::is_callers_own(&one.policy)))
}

impl Ctx {
    /// Takes the call in every policy, or in none.
    ///
    /// # Errors
    /// `limit_exceeded`, `too_many_in_flight`, `budget_exceeded` with what is left and when more will be;
    /// `plan_changed` (see [`Ctx::follow_plan`]), `session_revoked`, `limiter_unavailable`, `store_unavailable`.
    pub async fn reserve(&self, caller: &Caller, call: &PricedCall) -> Result<Hold, Error> {
        let call_id = CallId::new();
        let mut now_ms = clock::shared_now_ms();
        let mut has_looked = false;
        for _ in 0..ROUNDS {
            let policies = policies(caller, self.config(), now_ms);
            let hold_nanousd = if Protection::Hold.is_off() { 0 } else { call.ceiling_nanousd };
            let ask = Ask { identity: identity(caller), ..self.ask(&call_id, &policies, hold_nanousd) };
            let answer = self.time("limit", self.limiter()?.reserve(&ask)).await;
            let decision = match answer {
                Ok(decision) => decision,
                Err(error) => return self.reserve_here(&Unanswered { caller, call, ask, now_ms }, error).await,
            };
            self.add_limit_headers(&policies, decision.standings());
            match decision {
                Decision::Admitted { standings, at_ms, epoch_ms, overdue } => {
                    self.note("call_id", call_id.as_str());
                    self.note("model", call.model.id);
                    clock::learn_shared(at_ms);
                    self.look_after_later(overdue, &policies);
                    let has_budget = policies.iter().any(|policy| matches!(policy, Policy::Budget { .. }));
                    let epoch_ms = has_budget.then_some(epoch_ms);
                    return Ok(Hold { call_id, policies, standings, taken_ms: at_ms, epoch_ms, here: None });
                }
                Decision::Refused { violated, retry_after_ms, standings, overdue } => {
                    if !has_looked && self.may_free(&overdue, &violated, &policies).await? {
                        has_looked = true;
                        continue;
                    }
                    let (policies, violated, standings) = (&policies, &violated, &standings);
                    return Err(Refusal { caller, call, policies, violated, retry_after_ms, standings }.error());
                }
                Decision::Obstructed(obstacle) => {
                    let cleared = self.clear(obstacle, &policies).await;
                    now_ms = self.unless_away(cleared)?.flatten().unwrap_or(now_ms);
                }
                Decision::PlanChanged { plan } => return Err(plan_changed(&plan)),
                Decision::Revoked => return Err(revoked()),
            }
        }
        Err(unsettled())
    }

    /// Frees what a refused call lacks, if calls hold it that are dead or over; whether asking again may help.
    async fn may_free(&self, overdue: &[Overdue], violated: &[String], policies: &[Policy]) -> Result<bool, Error> {
        if !overdue.is_empty() {
            let looked = self.books().await?.look_after(overdue, policies).await;
            self.unless_away(looked)?;
        }
        // An entry in a window stays there in any case.
        let is_held = |policy: &&Policy| !matches!(policy, Policy::Window { .. });
        let lacks_what_is_held =
            policies.iter().filter(is_held).any(|policy| violated.iter().any(|one| one == policy.name()));
        let has_brought_in = lacks_what_is_held && self.bring_in_now().await;
        Ok(has_brought_in || !overdue.is_empty())
    }

    /// Nothing, where the limiter has gone away meanwhile: the next ask finds out.
    fn unless_away<T>(&self, done: Result<T, Error>) -> Result<Option<T>, Error> {
        match done {
            Err(_) if self.is_limiter_away() => Ok(None),
            done => done.map(Some),
        }
    }

    /// An ask of this deployment: slots live as long as a call can, holds until somebody knows better.
    pub(super) fn ask<'a>(&self, call_id: &'a CallId, policies: &'a [Policy], hold_nanousd: i64) -> Ask<'a> {
        let slot_ttl_ms = self.config().claude.dead_after_ms;
        Ask { call_id, identity: None, policies, hold_nanousd, slot_ttl_ms, hold_ttl_ms: hold_ttl_ms(slot_ttl_ms) }
    }

    /// How the caller's policies stand; reading spends nothing. Nothing is known while the limiter is away.
    ///
    /// # Errors
    /// `plan_changed` (see [`Ctx::follow_plan`]), `session_revoked`, `limiter_unavailable`, `store_unavailable`.
    pub async fn standings(&self, caller: &Caller) -> Result<Vec<Standing>, Error> {
        let mut now_ms = clock::shared_now_ms();
        for _ in 0..ROUNDS {
            let policies = policies(caller, self.config(), now_ms);
            let look = self.time("limit", self.limiter()?.look(identity(caller), &policies)).await;
            if look.as_ref().is_err_and(is_outage) {
                self.say_degraded();
                return Ok(Vec::new());
            }
            match look.map_err(unavailable)? {
                Reading::Standings(standings) => return Ok(standings),
                Reading::Obstructed(obstacle) => now_ms = self.clear(obstacle, &policies).await?.unwrap_or(now_ms),
                Reading::PlanChanged { plan } => return Err(plan_changed(&plan)),
                Reading::Revoked => return Err(revoked()),
            }
        }
        Err(unsettled())
    }

    /// Puts right what keeps budgets from being read, and gives the store's time where that was it.
    pub(super) async fn clear(&self, obstacle: Obstacle, policies: &[Policy]) -> Result<Option<i64>, Error> {
        match obstacle {
            Obstacle::OtherPeriod { now_ms } => {
                clock::learn_shared(now_ms);
                Ok(Some(now_ms))
            }
            Obstacle::Lost { accounts, epoch_ms } => {
                let books = self.books().await?;
                for policy in accounts.into_iter().filter_map(|at| policies.get(at)) {
                    self.note("opened_budget", policy.name());
                    self.time("store", books.open_account(policy, epoch_ms)).await?;
                }
                Ok(None)
            }
        }
    }

    /// Looks after calls whose holds are overdue, behind the client's back.
    fn look_after_later(&self, overdue: Vec<Overdue>, policies: &[Policy]) {
        if overdue.is_empty() {
            return;
        }
        let (ctx, policies) = (self.clone(), policies.to_vec());
        self.after(async move {
            let looked = async { ctx.books().await?.look_after(&overdue, &policies).await };
            if let Err(error) = looked.await {
                // The next caller finds them again.
                ctx.warn("overdue_failed", &error);
            }
        });
    }

    /// Gives back what a call took that delivered nothing.
    pub(super) async fn release(&self, hold: &Hold) {
        if let Some(here) = hold.here {
            return self.release_here(hold, here).await;
        }
        let released = match self.limiter() {
            Ok(limiter) => limiter.release(&hold.call_id, &hold.policies).await,
            Err(error) => return self.warn("release_failed", &error),
        };
        match released {
            Ok(()) => {}
            Err(error) if is_outage(&error) => self.withdraw_later(&hold.call_id, &hold.policies),
            // Whoever finds the hold overdue frees it.
            Err(error) => self.warn("release_failed", &unavailable(error)),
        }
    }
}

fn unsettled() -> Error {
    unavailable_now().log("the limiter's answer was another one each time")
}
