//! The plan in force, which a token that was made earlier may not know yet; and whether the token still counts.

use super::{
    Ctx,
    admission::{policies, unavailable},
};
use crate::{
    Code, Error,
    auth::{Caller, Credential},
    config::plans::PlanId,
    limit::{Decision, Identity, Standing},
};

impl Ctx {
    /// How the caller's policies stand; reading spends nothing.
    ///
    /// # Errors
    /// `plan_changed` (see [`Ctx::follow_plan`]), `session_revoked`, `limiter_unavailable`.
    pub async fn standings(&self, caller: &Caller) -> Result<Vec<Standing>, Error> {
        let policies = policies(caller);
        let look = self.limiter()?.look(identity(caller), &policies);
        match self.time("limit", look).await.map_err(unavailable)? {
            Decision::PlanChanged { plan } => Err(plan_changed(&plan)),
            Decision::Revoked => Err(revoked()),
            decision => Ok(decision.standings().to_vec()),
        }
    }

    /// Makes the caller's plan the one in force, where that is why something was refused: `Ok` means, ask again.
    /// A refusal that the plan decides costs one limiter round trip more, since the token may be older than the plan.
    ///
    /// # Errors
    /// The error itself where it has nothing to do with the plan, or the plan is the one in force.
    pub async fn follow_plan(&self, caller: &mut Caller, error: Error) -> Result<(), Error> {
        let in_force = match error.code() {
            Code::PlanChanged => error.members().get("plan").and_then(|plan| plan.as_str()).and_then(PlanId::parse),
            Code::ModelNotAllowed | Code::MaxTokensTooLarge | Code::PromptTooLong => self.plan_in_force(caller).await?,
            _ => None,
        };
        match in_force {
            // Each plan is tried once a request, so that two sources that disagree cannot keep us here.
            Some(plan) if plan != caller.plan && !caller.has_followed => {
                caller.plan = plan;
                caller.has_followed = true;
                self.note("plan", plan.as_str());
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Whether what the caller has shown still counts.
    ///
    /// # Errors
    /// `session_revoked`, `limiter_unavailable`.
    pub async fn check_credential(&self, caller: &Caller) -> Result<(), Error> {
        self.plan_in_force(caller).await.map(drop)
    }

    async fn plan_in_force(&self, caller: &Caller) -> Result<Option<PlanId>, Error> {
        let Some(identity) = identity(caller) else { return Ok(None) };
        match self.time("limit", self.limiter()?.look(Some(identity), &[])).await.map_err(unavailable)? {
            Decision::PlanChanged { plan } => Ok(PlanId::parse(&plan)),
            Decision::Revoked => Err(revoked()),
            Decision::Admitted { .. } | Decision::Refused { .. } => Ok(None),
        }
    }
}

/// Who asks, as the limiter checks it; nobody where the caller has shown nothing.
pub(super) fn identity(caller: &Caller) -> Option<Identity<'_>> {
    let (session, issued_ms) = match &caller.credential {
        Credential::None => return None,
        Credential::Token { issued_ms } => (None, *issued_ms),
        Credential::Session { id, issued_ms } => (Some(id.as_str()), *issued_ms),
    };
    Some(Identity { subject: caller.id.as_str(), session, plan: caller.plan.as_str(), issued_ms })
}

pub(super) fn plan_changed(plan: &str) -> Error {
    Error::new(Code::PlanChanged, "Your plan changed while this request was on its way. Send it again.")
        .member("plan", plan)
}

pub(super) fn revoked() -> Error {
    Error::new(Code::SessionRevoked, "This session or key has ended. Sign in again.")
}
