//! A closed call on its way into ledger, limiter and hashes.

use serde::{Deserialize, Serialize};

use super::Books;
use crate::{
    Error, clock,
    cost::hashes::UsageEntry,
    ids::{CallId, CallerId},
    limit::Policy,
    store::{AssistantMessage, Settlement},
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
}

impl Books {
    /// Settles the ledger's row, and says whether there is one: a call whose row was never written was never made.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn write_down(&self, closing: &Closing) -> Result<bool, Error> {
        let is_settled = self.store.settle_call(&closing.settlement, closing.answer.as_ref()).await?;
        Ok(is_settled || self.store.ledger_row(&closing.settlement.call_id).await?.is_some())
    }

    /// Turns the hold into the cost and adds the call to the hashes.
    ///
    /// # Errors
    /// `internal` where limiter or hashes do not answer.
    pub async fn book(&self, closing: &Closing) -> Result<(), Error> {
        let settlement = &closing.settlement;
        let call_id = CallId(settlement.call_id.clone());
        let settled = self.limiter.settle(&call_id, &closing.policies, settlement.cost_nanousd);
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
        self.hashes.record(&entry).await.map_err(Error::internal)
    }

    /// Notes in the ledger that limiter and hashes have a call.
    ///
    /// # Errors
    /// `store_unavailable`.
    pub async fn mark(&self, id: &str) -> Result<(), Error> {
        Ok(self.store.mark_booked(id, clock::now_ms()).await?)
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
            if self.write_down(&closing).await? {
                self.book(&closing).await?;
                self.mark(&id).await?;
            }
            outbox.remove(&id).await.map_err(Error::internal)?;
            drained += 1;
        }
        Ok(drained)
    }
}
