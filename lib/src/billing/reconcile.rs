//! What no event told: customers whose subscription should have changed are read again.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, future::ready, stream};

use super::Billing;
use crate::{Error, clock, store::DueCheck};

/// Customers that are read from the store at once.
const PAGE: i64 = 100;
/// Customers that are read from Stripe at once: far below its 100 requests a second (25 in test mode).
const AT_ONCE: usize = 4;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Customers that were read.
    pub read: u64,
    /// Customers that could not be read: they stay due.
    pub failed: u64,
    /// Why the last of them could not; for the log.
    pub failure: Option<String>,
    /// Whether time ran out before all were read; the next run goes on.
    pub is_cut: bool,
}

impl Billing<'_> {
    /// Reads every customer whose subscription should have changed by now: at the end of a period, of a grace, of a
    /// Checkout session, or after three days. Runs may overlap: what is read twice is written as once. Stops after
    /// `time_max`.
    ///
    /// # Errors
    /// `store_unavailable`. One customer that cannot be read does not keep the others from it.
    pub async fn reconcile_subscriptions(&self, time_max: Duration) -> Result<Reconciled, Error> {
        let (from, now_ms) = (Instant::now(), clock::now_ms());
        let mut run = Reconciled::default();
        let mut last: Option<DueCheck> = None;
        loop {
            let due = self.store.due_checks(now_ms, last.as_ref(), PAGE).await?;
            let Some(end) = due.last().cloned() else { return Ok(run) };
            // What has begun is brought to its end: its plan may be written and not yet told to the limiter.
            let in_time = stream::iter(due).take_while(|_| ready(from.elapsed() < time_max));
            let mut checks = in_time.map(|one| self.check(one)).buffer_unordered(AT_ONCE);
            while let Some(checked) = checks.next().await {
                match checked {
                    Ok(()) => run.read += 1,
                    Err(error) => (run.failed, run.failure) = (run.failed + 1, Some(error.to_string())),
                }
            }
            if from.elapsed() >= time_max {
                return Ok(Reconciled { is_cut: true, ..run });
            }
            last = Some(end);
        }
    }

    async fn check(&self, due: DueCheck) -> Result<(), Error> {
        // Another run, or the user's deletion, may have been here.
        let Some(ticket) = self.store.begin_reading(&due.customer_id).await? else { return Ok(()) };
        self.sync(&ticket, &due.customer_id, None).await.map(drop)
    }
}
