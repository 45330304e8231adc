//! The ledger added up in the shape of the usage hashes, and who is in it.

use super::{Row, Statement, Store, StoreError, Value};

/// A sum over settled calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerSum {
    /// In the order of the usage hashes: calls, failed calls, the six token and search counts, cost in nanodollars,
    /// time of all calls and of the slowest in milliseconds.
    pub numbers: [i64; 11],
    /// How many of these calls are on their way to limiter and hashes.
    pub unbooked: i64,
}

macro_rules! sums {
    ($of:literal, $rest:literal) => {
        concat!(
            "select ",
            $of,
            ", count(*), ",
            "cast(sum(case when outcome in ('completed', 'refused') then 0 else 1 end) as bigint), ",
            "cast(sum(input_tokens) as bigint), cast(sum(cache_write_5m_tokens) as bigint), ",
            "cast(sum(cache_write_1h_tokens) as bigint), cast(sum(cache_read_tokens) as bigint), ",
            "cast(sum(output_tokens) as bigint), cast(sum(web_search_requests) as bigint), ",
            "cast(sum(cost_nanousd) as bigint), ",
            "cast(sum(case when settled_ms > created_ms then settled_ms - created_ms else 0 end) as bigint), ",
            "max(case when settled_ms > created_ms then settled_ms - created_ms else 0 end), ",
            "cast(sum(case when booked_ms is null then 1 else 0 end) as bigint) ",
            "from calls where state = 'settled' and ",
            $rest
        )
    };
}

impl Store {
    /// Settled calls made from `since_ms` to before `until_ms`, by day: days since 1970-01-01 (UTC), and the sum.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sums_by_day(&self, since_ms: i64, until_ms: i64) -> Result<Vec<(i64, LedgerSum)>, StoreError> {
        const SQL: &str =
            sums!("created_ms / 86400000 as day", "created_ms >= $1 and created_ms < $2 group by day order by day");
        let rows = self.rows(Statement::new(SQL, [since_ms.into(), until_ms.into()])).await?;
        rows.iter().map(|row| Ok((row.int(0)?, sum(row)?))).collect()
    }

    /// All settled calls of everybody who made one from `since_ms` to before `until_ms`, by owner; but for deleted
    /// accounts, of which nothing is kept but these rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sums_by_owner(&self, since_ms: i64, until_ms: i64) -> Result<Vec<(String, LedgerSum)>, StoreError> {
        const SQL: &str = sums!(
            "owner",
            "owner in (select owner from calls where created_ms >= $1 and created_ms < $2) \
             and owner not like 'gone:%' group by owner order by owner"
        );
        let rows = self.rows(Statement::new(SQL, [since_ms.into(), until_ms.into()])).await?;
        rows.iter().map(|row| Ok((row.text(0)?, sum(row)?))).collect()
    }

    /// All settled calls of an owner.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sum_of_owner(&self, owner: &str) -> Result<LedgerSum, StoreError> {
        const SQL: &str = sums!("owner", "owner = $1 group by owner");
        let rows = self.rows(Statement::new(SQL, [owner.into()])).await?;
        rows.first().map_or_else(|| Ok(LedgerSum::default()), sum)
    }

    /// Whose budgets were touched from `since_ms` to before `until_ms`: subject and plan.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn subjects(&self, since_ms: i64, until_ms: i64) -> Result<Vec<(String, String)>, StoreError> {
        const SQL: &str = "select distinct subject, plan from calls where created_ms >= $1 and created_ms < $2";
        let params: [Value; 2] = [since_ms.into(), until_ms.into()];
        let rows = self.rows(Statement::new(SQL, params)).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
    }

    /// How many settled calls are on their way to limiter and hashes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unbooked(&self) -> Result<i64, StoreError> {
        const SQL: &str = "select count(*) from calls where state = 'settled' and booked_ms is null";
        let rows = self.rows(Statement::new(SQL, [])).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }
}

fn sum(row: &Row) -> Result<LedgerSum, StoreError> {
    let mut numbers = [0; 11];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = row.int(at + 1)?;
    }
    Ok(LedgerSum { numbers, unbooked: row.int(numbers.len() + 1)? })
}
