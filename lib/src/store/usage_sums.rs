//! What a caller's settled calls add up to, out of the ledger.

use super::{Row, Statement, Store, StoreError};
use crate::usage::Usage;

/// A sum over calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// How many calls.
    pub calls: i64,
    /// Their tokens and tools.
    pub usage: Usage,
    /// Their cost.
    pub cost_nanousd: i64,
}

/// The sum of one day and model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayUsage {
    /// Days since 1970-01-01 (UTC), by the time when the call was made.
    pub day: i64,
    /// The model that answered.
    pub model: String,
    /// The sum.
    pub sum: UsageSum,
}

/// Sums are numeric in Postgres: the casts keep them integers.
const SUMS: &str = "select created_ms / 86400000 as day, model, count(*), cast(sum(input_tokens) as bigint), \
    cast(sum(cache_write_5m_tokens) as bigint), cast(sum(cache_write_1h_tokens) as bigint), \
    cast(sum(cache_read_tokens) as bigint), cast(sum(output_tokens) as bigint), \
    cast(sum(web_search_requests) as bigint), cast(sum(web_fetch_requests) as bigint), \
    cast(sum(cost_nanousd) as bigint) from calls \
    where owner = $1 and state = 'settled' and created_ms >= $2 and created_ms < $3 \
    group by day, model order by day desc, model";

impl Store {
    /// Sums per day and model, newest day first, over calls made from `since_ms` to before `until_ms`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn usage_by_day(&self, owner: &str, since_ms: i64, until_ms: i64) -> Result<Vec<DayUsage>, StoreError> {
        let rows = self.rows(Statement::new(SUMS, [owner.into(), since_ms.into(), until_ms.into()])).await?;
        rows.iter().map(day_usage).collect()
    }
}

impl UsageSum {
    /// The sum of two.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.calls = self.calls.saturating_add(other.calls);
        self.cost_nanousd = self.cost_nanousd.saturating_add(other.cost_nanousd);
        let (sum, more) = (&mut self.usage, &other.usage);
        for (tokens, added) in [
            (&mut sum.input_tokens, more.input_tokens),
            (&mut sum.cache_write_5m_tokens, more.cache_write_5m_tokens),
            (&mut sum.cache_write_1h_tokens, more.cache_write_1h_tokens),
            (&mut sum.cache_read_tokens, more.cache_read_tokens),
            (&mut sum.output_tokens, more.output_tokens),
            (&mut sum.web_search_requests, more.web_search_requests),
            (&mut sum.web_fetch_requests, more.web_fetch_requests),
        ] {
            *tokens = tokens.saturating_add(added);
        }
        self
    }
}

fn day_usage(row: &Row) -> Result<DayUsage, StoreError> {
    let count = |column| row.int(column).map(|value| u64::try_from(value).unwrap_or(0));
    let usage = Usage {
        input_tokens: count(3)?,
        cache_write_5m_tokens: count(4)?,
        cache_write_1h_tokens: count(5)?,
        cache_read_tokens: count(6)?,
        output_tokens: count(7)?,
        web_search_requests: count(8)?,
        web_fetch_requests: count(9)?,
        ..Usage::default()
    };
    let sum = UsageSum { calls: row.int(2)?, usage, cost_nanousd: row.int(10)? };
    Ok(DayUsage { day: row.int(0)?, model: row.text(1)?, sum })
}
