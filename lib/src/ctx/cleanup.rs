//! What nobody needs any more is deleted, in bounded steps. All else that ends does so by itself: windows, attempts,
//! holds and recordings expire where they are kept.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Ctx;
use crate::{Error, clock};

/// Rows that one statement deletes: it holds their locks for some milliseconds.
const BATCH: u64 = 1_000;
/// A part of the 300 s that a function may run (`maxDuration` in vercel.json).
const CLEAN_MAX: Duration = Duration::from_secs(60);
/// Stripe repeats an event for three days.
const EVENTS_KEPT_MS: i64 = 30 * 86_400_000;

impl Ctx {
    /// Deletes sessions that are over and Stripe's events that nobody repeats. Safe at any time, also twice at once.
    /// `is_cut` says that there was more than time.
    ///
    /// # Errors
    /// `store_unavailable`; what was deleted stays so.
    pub async fn clean_up(&self) -> Result<Value, Error> {
        let (store, now_ms, from) = (self.store().await?, clock::now_ms(), Instant::now());
        let most = BATCH.cast_signed();
        let (mut sessions, mut events) = (0, 0);
        let mut is_cut = true;
        while from.elapsed() < CLEAN_MAX {
            let (ended, taken) = (
                store.forget_sessions(now_ms, most).await?,
                store.forget_events(now_ms.saturating_sub(EVENTS_KEPT_MS), most).await?,
            );
            (sessions, events) = (sessions + ended, events + taken);
            if ended < BATCH && taken < BATCH {
                is_cut = false;
                break;
            }
        }
        Ok(json!({ "sessions": sessions, "events": events, "is_cut": is_cut }))
    }
}
