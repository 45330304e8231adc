//! An ask that the limiter never answered: it may have been taken all the same, now or when the limiter goes on.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::Ctx;
use crate::{
    ids::CallId,
    limit::{LimitError, Policy},
};

/// Attempts, each waiting twice as long as the one before: a quarter of a minute in all. What is taken later still is found
/// as a hold that outlived its call.
const ATTEMPTS: u32 = 6;
/// The same while the limiter is known to be away: eight seconds in all.
const LOOKS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Asks that wait for the limiter to be back, at most so many.
const WAITING_MAX: usize = 1_000;
static WAITING: Mutex<Vec<(CallId, Vec<Policy>)>> = Mutex::new(Vec::new());

impl Ctx {
    /// Gives back what the ask may have taken, and sees to it that it takes nothing any more: a settled call cannot be
    /// admitted. Where the limiter is known to be away, the ask waits until it is back.
    pub(super) fn withdraw_later(&self, call_id: &CallId, policies: &[Policy]) {
        if self.is_limiter_away() {
            wait(call_id.clone(), policies.to_vec());
            return self.withdraw_when_back();
        }
        let (ctx, call_id, policies) = (self.clone(), call_id.clone(), policies.to_vec());
        self.after(async move {
            for attempt in 0..ATTEMPTS {
                tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt)).await;
                if ctx.withdraw(&call_id, &policies).await.is_ok() {
                    return;
                }
                if ctx.is_limiter_away() {
                    wait(call_id, policies);
                    return ctx.withdraw_when_back();
                }
            }
        });
    }

    /// Looks a few times whether the limiter is back: one request of the instance does so for all. Where it stays away
    /// for longer, a later request withdraws what waits.
    fn withdraw_when_back(&self) {
        static IS_LOOKING: AtomicBool = AtomicBool::new(false);
        if IS_LOOKING.swap(true, Ordering::Relaxed) {
            return;
        }
        let ctx = self.clone();
        self.after(async move {
            for attempt in 0..LOOKS {
                tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt)).await;
                ctx.withdraw_waiting().await;
                if waiting().is_empty() {
                    break;
                }
            }
            IS_LOOKING.store(false, Ordering::Relaxed);
        });
    }

    /// Withdraws what waits, if the limiter is back; how many asks that were.
    pub(super) async fn withdraw_waiting(&self) -> u64 {
        let mut withdrawn = 0;
        while !self.is_limiter_away() {
            let Some((call_id, policies)) = waiting().pop() else { break };
            if self.withdraw(&call_id, &policies).await.is_err() {
                wait(call_id, policies);
                break;
            }
            withdrawn += 1;
        }
        withdrawn
    }

    async fn withdraw(&self, call_id: &CallId, policies: &[Policy]) -> Result<(), LimitError> {
        let Ok(limiter) = self.limiter() else { return Ok(()) };
        limiter.release(call_id, policies).await?;
        limiter.settle(call_id, policies, 0).await.map(drop)
    }
}

fn wait(call_id: CallId, policies: Vec<Policy>) {
    let mut waiting = waiting();
    if waiting.len() < WAITING_MAX {
        waiting.push((call_id, policies));
    }
}

fn waiting() -> std::sync::MutexGuard<'static, Vec<(CallId, Vec<Policy>)>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}
