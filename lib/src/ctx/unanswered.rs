//! An ask that the limiter never answered: it may have been taken all the same, now or when the limiter goes on.

use std::time::Duration;

use super::Ctx;
use crate::{
    ids::CallId,
    limit::{LimitError, Policy},
};

/// Attempts, each waiting twice as long as the one before: half a minute in all. What is taken later still is found
/// as a hold that outlived its call.
const ATTEMPTS: u32 = 7;
const FIRST_WAIT: Duration = Duration::from_millis(250);

impl Ctx {
    /// Gives back what the ask may have taken, and sees to it that it takes nothing any more: a settled call cannot be
    /// admitted.
    pub(super) fn withdraw_later(&self, call_id: &CallId, policies: &[Policy]) {
        let (ctx, call_id, policies) = (self.clone(), call_id.clone(), policies.to_vec());
        self.after(async move {
            for attempt in 0..ATTEMPTS {
                tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt)).await;
                if ctx.withdraw(&call_id, &policies).await.is_ok() {
                    return;
                }
            }
        });
    }

    async fn withdraw(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        let Ok(limiter) = self.limiter() else { return Ok(()) };
        limiter.release(call_id, policies).await?;
        limiter.settle(call_id, policies, 0).await.map(drop)
    }
}
