//! Calls whose process died before it could settle them.

use super::{Books, Closing, unavailable};
use crate::{
    Error, clock,
    limit::{Overdue, Policy},
    sabotage::Protection,
    store::{LedgerRow, Settlement},
    usage::{Source, Usage},
};

/// How many calls are looked at in one go.
const BATCH: i64 = 200;

/// What a look at the ledger did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Calls that were settled at their ceiling, because nobody can tell any more what they cost.
    pub settled_at_ceiling: u64,
    /// Settled calls of which limiter and hashes had not heard.
    pub booked: u64,
}

impl Books {
    /// Finds out from the ledger what became of calls that hold money in these policies and cannot be running any
    /// more, and tells the limiter. Safe to run twice and at the same time.
    ///
    /// # Errors
    /// `store_unavailable`, `limiter_unavailable`; what was not done is found again.
    pub async fn look_after(&self, overdue: &[Overdue], policies: &[Policy]) -> Result<(), Error> {
        for hold in overdue {
            match self.store.ledger_row(hold.call_id.as_str()).await? {
                Some(row) => self.finish_row(row).await?,
                // Admitted and never written, so never made.
                None => self.limiter.forget(hold, policies).await.map_err(unavailable)?,
            }
        }
        Ok(())
    }

    /// Settles dead calls and books what limiter and hashes have not heard of. `now_ms` is the limiter's time.
    ///
    /// # Errors
    /// `store_unavailable`, `limiter_unavailable`; what was not done is found again.
    pub async fn sweep_ledger(&self, now_ms: i64) -> Result<Swept, Error> {
        let dead_after_ms = i64::try_from(self.dead_after_ms).unwrap_or(i64::MAX);
        let mut swept = Swept::default();
        if Protection::Reconcile.is_off() {
            return Ok(swept);
        }
        loop {
            let dead = self.store.calls_reserved_before(now_ms.saturating_sub(dead_after_ms), BATCH).await?;
            let is_last = (dead.len() as i64) < BATCH;
            for row in dead {
                self.finish_row(row).await?;
                swept.settled_at_ceiling += 1;
            }
            if is_last {
                break;
            }
        }
        // Younger ones are on their way.
        swept.booked = self.book_settled_before(now_ms.saturating_sub(dead_after_ms)).await?;
        Ok(swept)
    }

    /// Tells limiter and hashes of calls that were settled before a time and that they may not have heard of.
    ///
    /// # Errors
    /// `store_unavailable`, `internal`; what was not done is found again.
    pub async fn book_settled_before(&self, before_ms: i64) -> Result<u64, Error> {
        let mut booked = 0;
        loop {
            let unbooked = self.store.calls_unbooked_before(before_ms, BATCH).await?;
            let is_last = (unbooked.len() as i64) < BATCH;
            for row in unbooked {
                self.finish_row(row).await?;
                booked += 1;
            }
            if is_last {
                return Ok(booked);
            }
        }
    }

    /// Brings a row of the ledger to its end, from wherever it stands: limiter and hashes are told what it says.
    ///
    /// # Errors
    /// `store_unavailable`, `internal`; doing it again is safe.
    pub async fn finish_row(&self, row: LedgerRow) -> Result<(), Error> {
        let policies = policies(&row)?;
        let Some(cost_nanousd) = row.cost_nanousd else {
            let closing = closing(at_ceiling(&row), &row, policies);
            if !self.store.settle_call(&closing.settlement, None).await? {
                // Somebody else was first: what they wrote counts.
                return match self.store.ledger_row(&row.id).await? {
                    Some(row) if row.cost_nanousd.is_some() => Box::pin(self.finish_row(row)).await,
                    _ => Ok(()),
                };
            }
            return self.book_and_mark(&closing).await;
        };
        let mut settlement = at_ceiling(&row);
        settlement.cost_nanousd = cost_nanousd;
        settlement.outcome = row.outcome.clone().unwrap_or_default();
        settlement.usage = row.usage.clone();
        settlement.settled_ms = row.settled_ms.unwrap_or(row.created_ms);
        self.book_and_mark(&closing(settlement, &row, policies)).await
    }

    async fn book_and_mark(&self, closing: &Closing) -> Result<(), Error> {
        let known_ms = self.book(closing).await?;
        self.mark(&closing.settlement.call_id, known_ms).await
    }
}

fn closing(settlement: Settlement, row: &LedgerRow, policies: Vec<Policy>) -> Closing {
    Closing { settlement, answer: None, policies, taken_ms: row.created_ms, is_degraded: row.is_degraded }
}

/// The end of a call of which nothing is known.
fn at_ceiling(row: &LedgerRow) -> Settlement {
    Settlement {
        call_id: row.id.clone(),
        owner: row.owner.clone(),
        outcome: "cut".to_owned(),
        source: Source::Ceiling,
        model: None,
        usage: Usage::default(),
        cost_nanousd: row.ceiling_nanousd,
        stop_reason: None,
        error_code: Some("process_died".to_owned()),
        upstream_request_id: None,
        is_client_gone: false,
        first_byte_ms: None,
        settled_ms: clock::shared_now_ms(),
    }
}

fn policies(row: &LedgerRow) -> Result<Vec<Policy>, Error> {
    serde_json::from_str(&row.hold).map_err(|error| Error::internal(format!("a hold that cannot be read: {error}")))
}
