//! How often somebody may try: counted before any password is hashed, by network and by account.

use super::super::{
    Ctx,
    degraded::here,
    plan_in_force::{identity, plan_changed, revoked},
};
use crate::{
    Code, Error,
    auth::Caller,
    books::unavailable,
    config::plans::{AUTH_ATTEMPTS, AUTH_WINDOW_S},
    http::Request,
    ids::CallId,
    limit::{Ask, Decision, LimitError, Policy},
};

/// Attempts in the window while the limiter is away: every instance counts for itself, so each allows fewer.
const DEGRADED_ATTEMPTS: u64 = 2;

impl Ctx {
    /// Counts an attempt. One round trip takes it in both windows or in none; a success gives nothing back. `account`
    /// is a pseudonym or an id; `caller`, where there is one, must not have signed out.
    ///
    /// # Errors
    /// `limit_exceeded`, `session_revoked`.
    pub(super) async fn attempt(&self, request: &Request, account: &str, caller: Option<&Caller>) -> Result<(), Error> {
        let call_id = CallId::new();
        let network = self.network(request);
        let policies = |limit| {
            [("auth-network", network.as_str()), ("auth-account", account)].map(|(name, subject)| Policy::Window {
                name: name.to_owned(),
                subject: subject.to_owned(),
                limit,
                window_ms: AUTH_WINDOW_S * 1_000,
            })
        };
        let all = policies(AUTH_ATTEMPTS);
        let ask = Ask {
            call_id: &call_id,
            identity: caller.and_then(identity),
            policies: &all,
            hold_nanousd: 0,
            slot_ttl_ms: 1,
            hold_ttl_ms: 1,
        };
        let decision = match self.time("limit", self.limiter()?.reserve(&ask)).await {
            Err(LimitError::Invalid(why)) => return Err(Error::internal(why)),
            Err(error) => {
                if !self.is_limiter_away() {
                    self.warn("limiter_failed", &unavailable(error));
                }
                self.say_degraded();
                let few = policies(DEGRADED_ATTEMPTS);
                here().reserve(&Ask { policies: &few, ..ask }).await.map_err(unavailable)?
            }
            Ok(Decision::PlanChanged { plan }) => {
                // The plan does not matter here: ask as the one who has it.
                let identity = ask.identity.map(|identity| crate::limit::Identity { plan: &plan, ..identity });
                self.time("limit", self.limiter()?.reserve(&Ask { identity, ..ask })).await.map_err(unavailable)?
            }
            Ok(decision) => decision,
        };
        match decision {
            Decision::Admitted { .. } => Ok(()),
            Decision::Refused { violated, retry_after_ms, .. } => {
                let seconds = retry_after_ms.unwrap_or(AUTH_WINDOW_S * 1_000).div_ceil(1_000).max(1);
                let detail = format!("Too many attempts. The next one is free in {seconds} seconds.");
                Err(Error::new(Code::LimitExceeded, detail)
                    .retry_after_s(seconds)
                    .member("violated-policies", violated))
            }
            Decision::PlanChanged { plan } => Err(plan_changed(&plan)),
            Decision::Revoked => Err(revoked()),
            Decision::Obstructed(_) => Err(Error::internal("a window is no budget")),
        }
    }
}
