//! Budgets as policies, and those that the limiter has forgotten, opened from the ledger.

use super::{Books, hold_ttl_ms, unavailable};
use crate::{
    Error,
    clock::{Period, day_utc, period_utc},
    config::{
        budgets::Budgets,
        plans::{Budget, PlanId},
    },
    ids::CallId,
    limit::{Opening, Policy, RunningCall},
    store::Scope,
};

impl Books {
    /// Tells the limiter what the ledger knows of a budget.
    ///
    /// # Errors
    /// `store_unavailable`, `limiter_unavailable`; trying again is safe.
    pub async fn open_account(&self, policy: &Policy, epoch_ms: i64) -> Result<(), Error> {
        let Policy::Budget { starts_at_ms, resets_at_ms, .. } = policy else {
            return Err(Error::internal("only budgets are opened"));
        };
        let scope = scope(policy).ok_or_else(|| Error::internal("a budget of nobody"))?;
        let account = self.store.open_budget(scope, *starts_at_ms, *resets_at_ms, epoch_ms).await?;
        let held_ms = i64::try_from(hold_ttl_ms(self.dead_after_ms)).unwrap_or(i64::MAX);
        let running = account.running.into_iter().map(|(id, hold_nanousd, created_ms)| RunningCall {
            call_id: CallId(id),
            hold_nanousd,
            ends_at_ms: created_ms.saturating_add(held_ms),
        });
        let opening = Opening {
            policy: policy.clone(),
            settled_nanousd: account.settled_nanousd,
            settling: account.settling.into_iter().map(CallId).collect(),
            running: running.collect(),
        };
        self.limiter.open(&opening).await.map_err(unavailable)
    }
}

/// The budgets of one caller, in the periods around a time.
pub(crate) fn callers_budgets(budgets: &Budgets, plan: PlanId, subject: &str, now_ms: i64) -> Vec<Policy> {
    periods("user", subject, &budgets.of(plan).caller, now_ms).collect()
}

/// The budgets that the callers of a plan share, with each other and with everybody.
pub(crate) fn shared_budgets(budgets: &Budgets, plan: PlanId, now_ms: i64) -> Vec<Policy> {
    let mut shared: Vec<_> = periods("plan", plan.as_str(), &budgets.of(plan).together, now_ms).collect();
    shared.extend(deployment_budgets(budgets, now_ms));
    shared
}

/// The budgets of everybody together.
pub(crate) fn deployment_budgets(budgets: &Budgets, now_ms: i64) -> Vec<Policy> {
    periods("deployment", "all", &budgets.deployment, now_ms).collect()
}

/// The budgets of one subject, in the periods around a time.
fn periods(name: &str, subject: &str, budget: &Budget, now_ms: i64) -> impl Iterator<Item = Policy> {
    let day = day_utc(now_ms);
    let month = day.get(..7).unwrap_or(&day).to_owned();
    let named = [("day", Period::Day, day, budget.day_nanousd), ("month", Period::Month, month, budget.month_nanousd)];
    let made = named.map(|(span, period, label, limit)| {
        let (starts_at_ms, resets_at_ms) = period_utc(period, now_ms);
        limit.map(|limit_nanousd| Policy::Budget {
            name: format!("{name}-{span}"),
            subject: format!("{subject}:{label}"),
            limit_nanousd,
            starts_at_ms,
            resets_at_ms,
        })
    });
    made.into_iter().flatten()
}

/// Whose calls a budget counts: its policy's name says which kind, its subject is WHO:PERIOD.
pub(crate) fn scope(policy: &Policy) -> Option<Scope<'_>> {
    let Policy::Budget { name, subject, .. } = policy else { return None };
    let (who, _) = subject.rsplit_once(':')?;
    match name.split_once('-')?.0 {
        "deployment" => Some(Scope::Deployment),
        "plan" => Some(Scope::Plan(who)),
        "user" => Some(Scope::Subject(who)),
        _ => None,
    }
}
