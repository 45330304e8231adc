//! A budget as the ledger knows it, for a limiter that has forgotten it.

use super::{Row, Statement, Store, StoreError, Value};

/// Whose calls count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Everybody's.
    Deployment,
    /// Those of a plan.
    Plan(&'a str),
    /// Those of one user or network.
    Subject(&'a str),
}

/// A budget's calls at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetAccount {
    /// The sum of all settled calls, in nanodollars.
    pub settled_nanousd: i64,
    /// Calls of that sum that limiter and hashes may not know of yet.
    pub settling: Vec<String>,
    /// Calls that nobody has settled: id, ceiling in nanodollars, and when they were made.
    pub running: Vec<(String, i64, i64)>,
}

/// Waits for calls that are being written, and lets no other begin: what is read afterwards is all there is. The key is
/// this schema's own.
const EXCLUDE: &str = "select cast(pg_advisory_xact_lock(hashtext(current_schema() || '.limiter_epoch')) as text)";
/// What every call takes while it is written: any number of them at a time.
const SHARE: &str = "select cast(pg_advisory_xact_lock_shared(hashtext(current_schema() || '.limiter_epoch')) as text)";

const ADVANCE: &str = "update limiter_epoch set epoch_ms = $1 where epoch_ms < $1";

macro_rules! lists {
    ($($state:literal),+) => {
        concat!(
            "select 'sum', '', cast(coalesce(sum(cost_nanousd), 0) as bigint), cast(0 as bigint) from calls ",
            "where state = 'settled' and created_ms >= $1 and created_ms < $2 ",
            "and ($3 <> 'plan' or plan = $4) and ($3 <> 'subject' or subject = $4)",
            $(
                " union all select state, id, ceiling_nanousd, created_ms from calls where ", $state,
                " and created_ms >= $1 and created_ms < $2 ",
                "and ($3 <> 'plan' or plan = $4) and ($3 <> 'subject' or subject = $4)"
            ),+
        )
    };
}

/// One statement, so that no call can be settled between the sum and the lists. Each list has an index of its own.
const SNAPSHOT: &str = lists!("state = 'reserved'", "state = 'settled' and booked_ms is null");

impl Store {
    /// Notes that the limiter's memory began at `epoch_ms`, then reads a budget's calls made from `since_ms` to before
    /// `until_ms`. Calls that an older memory admitted and that are not written yet never will be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_budget(
        &self,
        scope: Scope<'_>,
        since_ms: i64,
        until_ms: i64,
        epoch_ms: i64,
    ) -> Result<BudgetAccount, StoreError> {
        let mut statements: Vec<_> = self.exclude_epoch().into_iter().collect();
        statements.push(Statement::new(ADVANCE, [epoch_ms.into()]));
        statements.push(snapshot(scope, since_ms, until_ms));
        let rows = self.atomic(statements).await?;
        account(rows.last().map_or(&[], Vec::as_slice))
    }

    /// A budget's calls, as [`Store::open_budget`] reads them, without keeping anybody from writing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_budget(
        &self,
        scope: Scope<'_>,
        since_ms: i64,
        until_ms: i64,
    ) -> Result<BudgetAccount, StoreError> {
        account(&self.rows(snapshot(scope, since_ms, until_ms)).await?)
    }

    /// The lock of a call that is being written.
    pub(super) fn share_epoch(&self) -> Option<Statement> {
        self.epoch_lock(SHARE)
    }

    /// The lock of whoever must be the only one.
    pub(super) fn exclude_epoch(&self) -> Option<Statement> {
        self.epoch_lock(EXCLUDE)
    }

    /// SQLite has one writer at a time, so it needs none.
    fn epoch_lock(&self, sql: &'static str) -> Option<Statement> {
        match self {
            Self::Postgres(_) => Some(Statement::new(sql, [])),
            #[cfg(sqlite)]
            Self::Sqlite(_) => None,
            Self::Guarded(pair) => pair.0.epoch_lock(sql),
        }
    }

    /// Whether the limiter's memory that admitted a call has been replaced by a newer one.
    pub(super) async fn is_outdated(&self, epoch_ms: Option<i64>) -> Result<bool, StoreError> {
        let Some(epoch_ms) = epoch_ms else { return Ok(false) };
        let rows = self.rows(Statement::new("select epoch_ms from limiter_epoch", [])).await?;
        Ok(rows.first().map(|row| row.int(0)).transpose()?.is_some_and(|newest| newest > epoch_ms))
    }
}

impl<'a> Scope<'a> {
    /// As statements take it: the kind, and who.
    pub(super) fn names(self) -> (&'static str, &'a str) {
        match self {
            Self::Deployment => ("deployment", ""),
            Self::Plan(name) => ("plan", name),
            Self::Subject(name) => ("subject", name),
        }
    }
}

fn snapshot(scope: Scope<'_>, since_ms: i64, until_ms: i64) -> Statement {
    let (kind, name) = scope.names();
    let params: [Value; 4] = [since_ms.into(), until_ms.into(), kind.into(), name.into()];
    Statement::new(SNAPSHOT, params)
}

fn account(rows: &[Row]) -> Result<BudgetAccount, StoreError> {
    let mut account = BudgetAccount::default();
    for row in rows {
        let (id, nanousd, created_ms) = (row.text(1)?, row.int(2)?, row.int(3)?);
        match row.text(0)?.as_str() {
            "sum" => account.settled_nanousd = nanousd,
            "settled" => account.settling.push(id),
            _ => account.running.push((id, nanousd, created_ms)),
        }
    }
    Ok(account)
}
