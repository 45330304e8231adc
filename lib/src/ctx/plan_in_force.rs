//! The plan in force, which a token that was made earlier may not know yet; and whether the token still counts.
//!
//! Two places know: the limiter, in the round trip that takes the call, and the store, which is the truth, in the
//! round trip that writes the call down. Where they differ from what the token says, the call is asked for again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{Ctx, degraded::is_outage};
use crate::{
    Code, Error,
    auth::{Caller, Credential},
    books::unavailable,
    clock,
    config::plans::PlanId,
    limit::{Identity, Reading},
    store::{Guard, Shown, Store, StoreError},
};

/// How often a request follows the plan: once to the limiter's, once to the store's, and once for a change between.
const CHANGES_MAX: u8 = 3;
/// How long a session or key that the store does not know is refused by the limiter alone.
const ENDED_TTL_MS: u64 = 1_200_000;
/// How many keys' plans an instance remembers.
const PLANS_MAX: usize = 1_000;

/// The plans of API keys, which name none themselves, as this process last saw them: only to ask right at once.
static PLANS: Mutex<Option<HashMap<String, PlanId>>> = Mutex::new(None);

impl Ctx {
    /// Makes the caller's plan the one in force, where that is why something was refused: `Ok` means, ask again.
    /// A refusal that the plan decides costs one round trip more, since the token may be older than the plan.
    ///
    /// # Errors
    /// The error itself where it has nothing to do with the plan, or the plan is the one in force;
    /// `session_revoked`.
    pub async fn follow_plan(&self, caller: &mut Caller, error: Error) -> Result<(), Error> {
        let in_force = match error.code() {
            Code::PlanChanged => match error.members().get("plan").and_then(|plan| plan.as_str()) {
                Some(plan) => PlanId::parse(plan),
                None => Some(self.plan_in_store(caller).await?),
            },
            Code::ModelNotAllowed | Code::MaxTokensTooLarge | Code::PromptTooLong => self.plan_in_force(caller).await?,
            _ => None,
        };
        let Some(plan) = in_force.filter(|plan| *plan != caller.plan && caller.plan_changes < CHANGES_MAX) else {
            return Err(error);
        };
        caller.plan = plan;
        caller.plan_changes += 1;
        if let Credential::Key { id, .. } = &caller.credential {
            remember_plan(id, plan);
        }
        self.note("plan", plan.as_str());
        Ok(())
    }

    /// The store for one caller: whatever runs through it runs only while the session or key that was shown counts.
    ///
    /// # Errors
    /// As for [`Ctx::store`].
    pub async fn store_of(&self, caller: &Caller) -> Result<Store, Error> {
        let store = self.store().await?;
        Ok(guard(caller, None).map_or_else(|| store.clone(), |guard| store.guarded(guard)))
    }

    /// As [`Ctx::store_of`], for a call that was taken under the caller's plan: that must be in force as well.
    pub(super) async fn store_for_call(&self, caller: &Caller) -> Result<Store, Error> {
        let store = self.store().await?;
        let guard = guard(caller, Some(caller.plan.as_str()));
        Ok(guard.map_or_else(|| store.clone(), |guard| store.guarded(guard)))
    }

    /// Whether what the caller has shown still counts. What the store knows it is asked about: the limiter may have
    /// forgotten who signed out.
    ///
    /// # Errors
    /// `session_revoked`, `store_unavailable`, `limiter_unavailable`.
    pub async fn check_credential(&self, caller: &Caller) -> Result<(), Error> {
        match guard(caller, None) {
            Some(_) => self.plan_in_store(caller).await.map(drop),
            None => self.plan_in_force(caller).await.map(drop),
        }
    }

    async fn plan_in_force(&self, caller: &Caller) -> Result<Option<PlanId>, Error> {
        let Some(identity) = identity(caller) else { return Ok(None) };
        let look = self.time("limit", self.limiter()?.look(Some(identity), &[])).await;
        if look.as_ref().is_err_and(is_outage) {
            self.say_degraded();
            return match guard(caller, None) {
                Some(_) => self.plan_in_store(caller).await.map(Some),
                // Nobody but the limiter could know better than the token.
                None => Ok(None),
            };
        }
        match look.map_err(unavailable)? {
            Reading::PlanChanged { plan } => Ok(PlanId::parse(&plan)),
            Reading::Revoked => Err(revoked()),
            // A key names no plan: where the limiter has forgotten it, the store knows.
            _ if matches!(caller.credential, Credential::Key { .. }) => self.plan_in_store(caller).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Asks the store, and lets the limiter know: from then on its round trip says the same.
    async fn plan_in_store(&self, caller: &Caller) -> Result<PlanId, Error> {
        let guard = guard(caller, None).ok_or_else(|| Error::internal("a caller without a guard"))?;
        let plan = self.time("store", self.store().await?.plan_of(&guard)).await?;
        let limiter = self.limiter()?;
        let noted = match &plan {
            Some(plan) => limiter.set_plan(caller.id.as_str(), plan).await,
            None => limiter.revoke_session(&guard.id, ENDED_TTL_MS).await,
        };
        if let Err(error) = noted
            && !self.is_limiter_away()
        {
            // The store goes on saying it.
            self.warn("plan_not_noted", &unavailable(error));
        }
        plan.as_deref().and_then(PlanId::parse).ok_or_else(revoked)
    }
}

/// Who asks, as the limiter checks it; nobody where the caller has shown nothing.
pub(super) fn identity(caller: &Caller) -> Option<Identity<'_>> {
    let (session, issued_ms) = match &caller.credential {
        Credential::None => return None,
        Credential::Token { issued_ms } => (None, *issued_ms),
        Credential::Session { id, issued_ms } => (Some(id.as_str()), *issued_ms),
        // Signing out everywhere leaves keys alone: they are revoked one by one.
        Credential::Key { id, .. } => (Some(id.as_str()), i64::MAX),
    };
    Some(Identity { subject: caller.id.as_str(), session, plan: caller.plan.as_str(), issued_ms })
}

/// What the store checks; nothing where the caller has shown nothing that the store knows.
fn guard(caller: &Caller, plan: Option<&'static str>) -> Option<Guard> {
    let (shown, id) = match &caller.credential {
        Credential::None | Credential::Token { .. } => return None,
        Credential::Session { id, .. } => (Shown::Session, id),
        Credential::Key { id, secret_hash } => (Shown::Key { secret_hash: secret_hash.clone() }, id),
    };
    Some(Guard { shown, id: id.clone(), user_id: caller.account_id().to_owned(), plan, now_ms: clock::now_ms() })
}

/// A call that the store refused to write down: its plan is not in force, or its session has ended.
pub(super) fn not_begun(error: StoreError) -> Error {
    match error {
        StoreError::Ended => changed(),
        error => error.into(),
    }
}

pub(super) fn plan_changed(plan: &str) -> Error {
    changed().member("plan", plan)
}

fn changed() -> Error {
    Error::new(Code::PlanChanged, "Your plan changed while this request was on its way. Send it again.")
}

pub(super) fn revoked() -> Error {
    Error::new(Code::SessionRevoked, "This session or key has ended. Sign in again.")
}

/// The plan that a key had when this process last saw it.
pub(super) fn last_plan(key_id: &str) -> PlanId {
    let plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    plans.as_ref().and_then(|plans| plans.get(key_id).copied()).unwrap_or(PlanId::Free)
}

fn remember_plan(key_id: &str, plan: PlanId) {
    let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
    let plans = plans.get_or_insert_default();
    if plans.len() >= PLANS_MAX {
        plans.clear();
    }
    plans.insert(key_id.to_owned(), plan);
}
