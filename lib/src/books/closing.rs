//! A closed call on its way into ledger, limiter and hashes.

use serde::{Deserialize, Serialize};

use super::Books;
use crate::{
    Error, clock,
    cost::hashes::UsageEntry,
    ids::{CallId, CallerId},
    limit::{LimitError, Policy, Settled},
    store::{AssistantMessage, LedgerRow, Settlement},
};

/// All that is needed to bring a call to its end, by this process or any other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Closing {
    /// What the ledger is told.
    pub settlement: Settlement,
    /// The answer, to be kept.
    pub answer: Option<AssistantMessage>,
    /// The policies that it was taken in.
    pub policies: Vec<Policy>,
    /// When it was taken, in milliseconds since 1970.
    pub taken_ms: i64,
    /// Whether it was taken without the limiter.
    #[serde(default)]
    pub is_degraded: bool,
}

/// What became of a settlement in the ledger.
#[derive(Debug)]
pub enum Written {
    /// It stands there now.
    Now,
    /// The row was settled before, perhaps with other figures: those count, for limiter and hashes as well.
    Before(Box<LedgerRow>),
    /// There is no row: a call whose row was never written was never made.
    Nowhere,
}

impl Books {
    /// Settles the ledger's row.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn write_down(&self, closing: &Closing) -> Result<Written, Error> {
        if self.store.settle_call(&closing.settlement, closing.answer.as_ref()).await? {
            return Ok(Written::Now);
        }
        let row = self.store.ledger_row(&closing.settlement.call_id).await?;
        Ok(row.map_or(Written::Nowhere, |row| Written::Before(Box::new(row))))
    }

    /// Turns the hold into the cost and adds the call to the hashes. Gives a time of the limiter's clock by which it
    /// knows of the call.
    ///
    /// # Errors
    /// `internal` where limiter or hashes do not answer.
    pub async fn book(&self, closing: &Closing) -> Result<i64, Error> {
        let settlement = &closing.settlement;
        let call_id = CallId(settlement.call_id.clone());
        let settled = self.settle(closing, &call_id).await.map_err(Error::internal)?;
        for budget in &settled.overspent {
            (self.tell)(settlement, budget);
        }
        let entry = UsageEntry {
            call_id: &call_id,
            caller: &CallerId(settlement.owner.clone()),
            at_ms: closing.taken_ms,
            failed: !matches!(settlement.outcome.as_str(), "completed" | "refused"),
            usage: &settlement.usage,
            cost_nanousd: settlement.cost_nanousd,
            total_ms: u64::try_from(settlement.settled_ms.saturating_sub(closing.taken_ms)).unwrap_or(0),
        };
        self.hashes.record(&entry).await.map_err(Error::internal)?;
        Ok(settled.at_ms)
    }

    /// A call that the limiter did not see takes its place in the windows now, unless nothing came of it.
    async fn settle(&self, closing: &Closing, call_id: &CallId) -> Result<Settled, LimitError> {
        let Closing { settlement, policies, taken_ms, is_degraded, .. } = closing;
        let cost_nanousd = settlement.cost_nanousd;
        let came_to_nothing = settlement.outcome == "failed" && cost_nanousd == 0;
        match *is_degraded && !came_to_nothing {
            true => self.limiter.settle_late(call_id, policies, cost_nanousd, *taken_ms).await,
            // Made too long ago for any window.
            false if *is_degraded => self.limiter.settle_late(call_id, policies, cost_nanousd, 0).await,
            false => self.limiter.settle(call_id, policies, cost_nanousd).await,
        }
    }

    /// Notes in the ledger that limiter and hashes have a call, since a time by the limiter's clock.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn mark(&self, id: &str, known_ms: i64) -> Result<(), Error> {
        Ok(self.store.mark_booked(id, clock::shared_now_ms(), known_ms).await?)
    }

    /// Lets a closed call wait until the ledger answers again.
    ///
    /// # Errors
    /// `internal` where there is nowhere to wait, or what is there does not answer.
    pub async fn put_aside(&self, closing: &Closing) -> Result<(), Error> {
        let outbox = self.outbox.as_ref().ok_or_else(|| Error::internal("there is nowhere to wait"))?;
        let entry = serde_json::to_string(closing).map_err(Error::internal)?;
        outbox.put(&closing.settlement.call_id, &entry).await.map_err(Error::internal)
    }

    /// Settles what waits in the outbox, and says how many calls that were.
    ///
    /// # Errors
    /// `store_unavailable`, `internal`; what was not settled waits on.
    pub async fn drain_outbox(&self) -> Result<u64, Error> {
        let Some(outbox) = &self.outbox else { return Ok(0) };
        let mut drained = 0;
        for (id, entry) in outbox.waiting().await.map_err(Error::internal)? {
            let closing: Closing = serde_json::from_str(&entry).map_err(Error::internal)?;
            match self.write_down(&closing).await? {
                Written::Now => {
                    let known_ms = self.book(&closing).await?;
                    self.mark(&id, known_ms).await?;
                }
                Written::Before(row) => self.finish_row(*row).await?,
                Written::Nowhere => {}
            }
            outbox.remove(&id).await.map_err(Error::internal)?;
            drained += 1;
        }
        Ok(drained)
    }
}
