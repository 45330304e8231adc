//! Budgets that the limiter has forgotten, opened from the ledger.

use super::{Ctx, admission::unavailable};
use crate::{
    Error,
    ids::CallId,
    limit::{Opening, Policy, RunningCall},
    store::Scope,
};

impl Ctx {
    /// Tells the limiter what the ledger knows of a budget.
    ///
    /// # Errors
    /// `store_unavailable`, `limiter_unavailable`; trying again is safe.
    pub(super) async fn open_account(&self, policy: &Policy, epoch_ms: i64) -> Result<(), Error> {
        let Policy::Budget { starts_at_ms, resets_at_ms, .. } = policy else {
            return Err(Error::internal("only budgets are opened"));
        };
        let store = self.store().await?;
        let scope = scope(policy).ok_or_else(|| Error::internal("a budget of nobody"))?;
        let account = self.time("store", store.open_budget(scope, *starts_at_ms, *resets_at_ms, epoch_ms)).await?;
        let held_ms = i64::try_from(self.hold_ttl_ms()).unwrap_or(i64::MAX);
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
        self.note("opened_budget", policy.name());
        self.limiter()?.open(&opening).await.map_err(unavailable)
    }
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
