//! What a browser used as a guest counts in the request window of its account: signing up is no way to more.

use super::super::{Ctx, policies::windows};
use crate::{
    Error,
    auth::{Caller, Credential},
    books::unavailable,
    clock,
    config::plans::PlanId,
    ids::CallId,
    limit::Policy,
    store::User,
};

impl Ctx {
    /// Puts the calls that were carried over into the window that they would have been in. As often as it is done, each
    /// counts once. Nobody is kept from signing in where that fails: then they count in the costs alone.
    pub(super) async fn count_carried_calls(&self, user: &User) {
        if user.carried_from.is_some()
            && let Err(error) = self.count_calls_before_sign_up(user).await
            && !self.is_limiter_away()
        {
            self.warn("carried_calls_not_counted", &error);
        }
    }

    async fn count_calls_before_sign_up(&self, user: &User) -> Result<(), Error> {
        let caller = Caller::user(&user.id, PlanId::parse(&user.plan).unwrap_or(PlanId::Free), Credential::None);
        let windows = windows(&caller);
        let longest_ms = windows.iter().filter_map(|window| match window {
            Policy::Window { window_ms, .. } => i64::try_from(*window_ms).ok(),
            Policy::Budget { .. } | Policy::InFlight { .. } => None,
        });
        let since_ms = clock::now_ms().saturating_sub(longest_ms.max().unwrap_or(0));
        if user.created_ms <= since_ms {
            return Ok(());
        }
        let calls = self.store().await?.calls_made_between(caller.id.as_str(), since_ms, user.created_ms).await?;
        for (id, made_ms) in calls {
            // Its own id is that of the guest's windows.
            let call_id = CallId(format!("{id}-carried"));
            self.limiter()?.settle_late(&call_id, &windows, 0, made_ms).await.map_err(unavailable)?;
        }
        Ok(())
    }
}
