//! Rows of the ledger as they stand: for whoever finishes what another process could not.

use super::{Row, Statement, Store, StoreError};
use crate::usage::Usage;

/// A call in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The call.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// Settled, with this cost in nanodollars; none while it is `reserved`.
    pub cost_nanousd: Option<i64>,
    /// The most that it could cost.
    pub ceiling_nanousd: i64,
    /// How it ended.
    pub outcome: Option<String>,
    /// The token classes; all zero while it is `reserved`.
    pub usage: Usage,
    /// The policies that it was taken in, as JSON.
    pub hold: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it was settled.
    pub settled_ms: Option<i64>,
    /// Whether limiter and hashes have its cost.
    pub is_booked: bool,
    /// Whether it was taken without the limiter.
    pub is_degraded: bool,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "select id, owner, cost_nanousd, ceiling_nanousd, outcome, input_tokens, cache_write_5m_tokens, ",
            "cache_write_1h_tokens, cache_read_tokens, output_tokens, web_search_requests, web_fetch_requests, ",
            "hold, created_ms, settled_ms, booked_ms, degraded_until_ms from calls where ",
            $rest
        )
    };
}

impl Store {
    /// One call; none where it was never written.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger_row(&self, id: &str) -> Result<Option<LedgerRow>, StoreError> {
        let rows = self.rows(Statement::new(columns!("id = $1"), [id.into()])).await?;
        rows.first().map(ledger_row).transpose()
    }

    /// Calls that were made before a time and are `reserved` still, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn calls_reserved_before(&self, before_ms: i64, most: i64) -> Result<Vec<LedgerRow>, StoreError> {
        const SQL: &str = columns!("state = 'reserved' and created_ms < $1 order by created_ms limit $2");
        let rows = self.rows(Statement::new(SQL, [before_ms.into(), most.into()])).await?;
        rows.iter().map(ledger_row).collect()
    }

    /// Calls that were settled before a time and that limiter and hashes may not know of, oldest first. Those that were
    /// taken without the limiter count however young they are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn calls_unbooked_before(&self, before_ms: i64, most: i64) -> Result<Vec<LedgerRow>, StoreError> {
        const SQL: &str = columns!(
            "state = 'settled' and booked_ms is null and (settled_ms < $1 or degraded_until_ms is not null) order by settled_ms limit $2"
        );
        let rows = self.rows(Statement::new(SQL, [before_ms.into(), most.into()])).await?;
        rows.iter().map(ledger_row).collect()
    }

    /// A page of the settled calls made from `since_ms` to before `until_ms`, in the order of their ids, after an id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn calls_settled_between(
        &self,
        since_ms: i64,
        until_ms: i64,
        after_id: &str,
        most: i64,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        const SQL: &str =
            columns!("state = 'settled' and created_ms >= $1 and created_ms < $2 and id > $3 order by id limit $4");
        let params = [since_ms.into(), until_ms.into(), after_id.into(), most.into()];
        self.rows(Statement::new(SQL, params)).await?.iter().map(ledger_row).collect()
    }

    /// Notes that limiter and hashes have a settled call's cost, the limiter since `known_ms` at the latest, by its clock.
    ///
    /// # Errors
    /// [`StoreError`]; noting it again is safe.
    pub async fn mark_booked(&self, id: &str, at_ms: i64, known_ms: i64) -> Result<(), StoreError> {
        const SQL: &str = "update calls set booked_ms = $2, \
            hold = case when owner like 'gone:%' then '[]' else hold end, \
            degraded_until_ms = case when degraded_until_ms > 0 then $3 else degraded_until_ms end \
            where id = $1 and state = 'settled' and booked_ms is null";
        self.rows(Statement::new(SQL, [id.into(), at_ms.into(), known_ms.into()])).await.map(drop)
    }
}

fn ledger_row(row: &Row) -> Result<LedgerRow, StoreError> {
    let count = |column| row.int(column).map(|value| u64::try_from(value).unwrap_or(0));
    let usage = Usage {
        input_tokens: count(5)?,
        cache_write_5m_tokens: count(6)?,
        cache_write_1h_tokens: count(7)?,
        cache_read_tokens: count(8)?,
        output_tokens: count(9)?,
        web_search_requests: count(10)?,
        web_fetch_requests: count(11)?,
        ..Usage::default()
    };
    Ok(LedgerRow {
        id: row.text(0)?,
        owner: row.text(1)?,
        cost_nanousd: row.int_opt(2)?,
        ceiling_nanousd: row.int(3)?,
        outcome: row.text_opt(4)?,
        usage,
        hold: row.text(12)?,
        created_ms: row.int(13)?,
        settled_ms: row.int_opt(14)?,
        is_booked: row.int_opt(15)?.is_some(),
        is_degraded: row.int_opt(16)?.is_some(),
    })
}
