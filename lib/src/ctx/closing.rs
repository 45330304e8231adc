//! A closed call on its way into ledger, limiter and hashes. Every part is idempotent, so every part is retried, by
//! whoever comes by.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::Ctx;
use crate::{
    Error, clock,
    cost::hashes::UsageEntry,
    ids::{CallId, CallerId},
    limit::Policy,
    store::{AssistantMessage, Settlement},
};

/// Attempts at each part before it is left to others.
const ATTEMPTS: u32 = 4;

/// Whether this instance left something behind that its next call can bring in.
static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

/// All that is needed to bring a call to its end, by this process or any other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Closing {
    /// What the ledger is told.
    pub(super) settlement: Settlement,
    /// The answer, to be kept.
    pub(super) answer: Option<AssistantMessage>,
    /// The policies that it was taken in.
    pub(super) policies: Vec<Policy>,
    /// When it was taken.
    pub(super) taken_ms: i64,
}

impl Ctx {
    /// Settles the ledger, then tells limiter and hashes, then notes that they know. What cannot be done now waits:
    /// without the ledger in the outbox, without the limiter in the ledger itself.
    pub(super) async fn close(&self, closing: &Closing) {
        let id = closing.settlement.call_id.as_str();
        let is_there = AtomicBool::new(true);
        let write = || async { self.write_down(closing).await.map(|found| is_there.store(found, Ordering::Relaxed)) };
        let is_written = self.insist("ledger_failed", write).await;
        if !is_there.into_inner() {
            return;
        }
        let is_booked = self.insist("booking_failed", || self.book(closing)).await;
        let is_done = is_written && is_booked && self.insist("mark_failed", || self.mark(id)).await;
        if !is_written {
            self.insist("outbox_failed", || self.put_aside(closing)).await;
        }
        if !is_done {
            LEFT_BEHIND.store(true, Ordering::Relaxed);
        } else if LEFT_BEHIND.swap(false, Ordering::Relaxed) {
            self.bring_in().await;
        }
    }

    /// Settles the ledger's row, and says whether there is one: a call whose row was never written was never made.
    async fn write_down(&self, closing: &Closing) -> Result<bool, Error> {
        let store = self.store().await?;
        let is_settled = store.settle_call(&closing.settlement, closing.answer.as_ref()).await?;
        Ok(is_settled || store.ledger_row(&closing.settlement.call_id).await?.is_some())
    }

    /// Turns the hold into the cost and adds the call to the hashes.
    pub(super) async fn book(&self, closing: &Closing) -> Result<(), Error> {
        let settlement = &closing.settlement;
        let call_id = CallId(settlement.call_id.clone());
        let settled = self.limiter()?.settle(&call_id, &closing.policies, settlement.cost_nanousd);
        settled.await.map_err(Error::internal)?;
        let entry = UsageEntry {
            call_id: &call_id,
            caller: &CallerId(settlement.owner.clone()),
            at_ms: closing.taken_ms,
            failed: !matches!(settlement.outcome.as_str(), "completed" | "refused"),
            usage: &settlement.usage,
            cost_nanousd: settlement.cost_nanousd,
            total_ms: u64::try_from(settlement.settled_ms.saturating_sub(closing.taken_ms)).unwrap_or(0),
        };
        self.hashes()?.record(&entry).await.map_err(Error::internal)
    }

    pub(super) async fn mark(&self, id: &str) -> Result<(), Error> {
        Ok(self.store().await?.mark_booked(id, clock::now_ms()).await?)
    }

    async fn put_aside(&self, closing: &Closing) -> Result<(), Error> {
        let outbox = self.outbox()?.ok_or_else(|| Error::internal("there is nowhere to wait"))?;
        let entry = serde_json::to_string(closing).map_err(Error::internal)?;
        outbox.put(&closing.settlement.call_id, &entry).await.map_err(Error::internal)
    }

    /// Brings in what this instance left behind, wherever it waits.
    async fn bring_in(&self) {
        let now_ms = clock::now_ms();
        let done = async { Ok::<_, Error>((self.drain_outbox().await?, self.book_settled_before(now_ms).await?)) };
        if let Err(error) = done.await {
            LEFT_BEHIND.store(true, Ordering::Relaxed);
            self.warn("bring_in_failed", &error);
        }
    }

    /// Settles what waits in the outbox, and says how many calls that were. Safe to run at the same time.
    ///
    /// # Errors
    /// `store_unavailable`, `limiter_unavailable`, `internal`; what was not settled waits on.
    pub async fn drain_outbox(&self) -> Result<u64, Error> {
        let Some(outbox) = self.outbox()? else { return Ok(0) };
        let mut drained = 0;
        for (id, entry) in outbox.waiting().await.map_err(Error::internal)? {
            let closing: Closing = serde_json::from_str(&entry).map_err(Error::internal)?;
            if self.write_down(&closing).await? {
                self.book(&closing).await?;
                self.mark(&id).await?;
            }
            outbox.remove(&id).await.map_err(Error::internal)?;
            drained += 1;
        }
        Ok(drained)
    }

    /// Tries again, a little later each time, and says whether it was done; what still fails is said loudly.
    async fn insist<F: Future<Output = Result<(), Error>>>(&self, name: &'static str, part: impl Fn() -> F) -> bool {
        for attempt in 1..=ATTEMPTS {
            match part().await {
                Ok(()) => return true,
                Err(error) if attempt == ATTEMPTS => self.warn(name, &error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100 << (2 * attempt))).await,
            }
        }
        false
    }
}
