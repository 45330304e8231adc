//! Budgets out of the ledger: for calls that the limiter did not admit, or admitted without knowing of all others.
//!
//! A call that was taken without the limiter stands in the ledger as one that the limiter does not know of. As long as
//! it does not, its word is not enough for anybody: whoever was admitted by it before it knew has to find room in the
//! ledger as well. While one looks for room and writes its row nobody else writes, so no two find the same.

use super::{Constraint, Row, Scope, Statement, Store, StoreError, Value};

/// In `degraded_until_ms`: the limiter does not know of the call.
const UNKNOWN: i64 = i64::MAX - 1;

/// Who said that a call's money is there.
#[derive(Clone, Copy, Debug)]
pub enum Money<'a> {
    /// The call is in no budget.
    Free {
        /// Whether the limiter does not know of it.
        is_degraded: bool,
    },
    /// The limiter, at this time by its clock: counts where it knew of every call in the ledger.
    Limiter {
        /// When.
        at_ms: i64,
    },
    /// Nobody yet: the ledger must have room in all of these.
    Ledger {
        /// The budgets.
        budgets: &'a [LedgerBudget<'a>],
        /// Whether the limiter does not know of the call.
        is_degraded: bool,
    },
}

/// A budget, as the ledger adds it up.
#[derive(Clone, Copy, Debug)]
pub struct LedgerBudget<'a> {
    /// Whose calls count.
    pub scope: Scope<'a>,
    /// Its period's begin.
    pub since_ms: i64,
    /// Its period's end.
    pub until_ms: i64,
    /// The most that they may cost, in nanodollars.
    pub limit_nanousd: i64,
}

/// What a budget's calls cost, and what those that run may cost still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUse {
    /// Settled.
    pub settled_nanousd: i64,
    /// Ceilings of running calls.
    pub running_nanousd: i64,
}

/// What became of a raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// The call may cost so much.
    Done,
    /// The limiter does not know of all calls: the ledger has to be asked for room. Nothing was written.
    Fenced,
    /// The ledger has no room in a budget. Nothing was written.
    NoRoom,
}

macro_rules! of_budget {
    ($select:literal, $rest:literal) => {
        concat!(
            $select,
            " from calls where created_ms >= $1 and created_ms < $2 ",
            "and ($3 <> 'plan' or plan = $4) and ($3 <> 'subject' or subject = $4)",
            $rest
        )
    };
}

const CHECK: &str = of_budget!(
    "insert into budget_checks (fits) select cast(null as bigint) where $5 < (select coalesce(sum(case \
     when state = 'settled' then cost_nanousd else ceiling_nanousd end), 0)",
    ")"
);

const USE: &str = of_budget!(
    "select cast(coalesce(sum(case when state = 'settled' then cost_nanousd end), 0) as bigint), \
     cast(coalesce(sum(case when state = 'settled' then 0 else ceiling_nanousd end), 0) as bigint)",
    ""
);

const RAISE: &str = "update calls set ceiling_nanousd = (select $2 where not exists \
    (select 1 from calls where degraded_until_ms >= $3)), degraded_until_ms = coalesce($4, degraded_until_ms) \
    where id = $1 and state = 'reserved' and ceiling_nanousd < $2";

impl Store {
    /// What every write of a call begins with: its lock, and whatever must be so.
    pub(super) fn entrance(&self, money: Money<'_>, needed_nanousd: i64) -> Vec<Statement> {
        let Money::Ledger { budgets, .. } = money else { return self.share_epoch().into_iter().collect() };
        // A budget with nothing left admits nothing, not even what is free.
        let needed = needed_nanousd.max(1);
        let check = |budget: &LedgerBudget<'_>| {
            let most: Value = budget.limit_nanousd.saturating_sub(needed).into();
            Statement { sql: CHECK, params: [of(budget).to_vec(), vec![most]].concat() }
        };
        self.exclude_epoch().into_iter().chain(budgets.iter().map(check)).collect()
    }

    /// Raises what a running call may cost at most, on the word of whoever said that the money is there.
    ///
    /// # Errors
    /// [`StoreError`]; raising again is safe.
    pub async fn raise_ceiling(
        &self,
        id: &str,
        from_nanousd: i64,
        to_nanousd: i64,
        money: Money<'_>,
    ) -> Result<Raised, StoreError> {
        let mut statements = self.entrance(money, to_nanousd.saturating_sub(from_nanousd));
        let (fence, degraded) = (money.fence_ms().into(), money.degraded_until_ms().into());
        statements.push(Statement::new(RAISE, [id.into(), to_nanousd.into(), fence, degraded]));
        match self.atomic(statements).await {
            Ok(_) => Ok(Raised::Done),
            Err(StoreError::Refused(Constraint::Money)) => Ok(match money {
                Money::Ledger { .. } => Raised::NoRoom,
                Money::Free { .. } | Money::Limiter { .. } => Raised::Fenced,
            }),
            Err(error) => Err(error),
        }
    }

    /// How much of each budget is used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn budget_uses(&self, budgets: &[LedgerBudget<'_>]) -> Result<Vec<BudgetUse>, StoreError> {
        let statements = budgets.iter().map(|budget| Statement::new(USE, of(budget))).collect();
        let rows = self.atomic(statements).await?;
        rows.iter().map(|rows| rows.first().ok_or_else(no_sum).and_then(budget_use)).collect()
    }
}

impl Money<'_> {
    /// Calls that the limiter did not know of at this time or later refuse the row.
    pub(super) fn fence_ms(self) -> i64 {
        match self {
            Self::Limiter { at_ms } => at_ms,
            Self::Free { .. } | Self::Ledger { .. } => i64::MAX,
        }
    }

    /// The row's `degraded_until_ms`.
    pub(super) fn degraded_until_ms(self) -> Option<i64> {
        match self {
            Self::Free { is_degraded: true } => Some(0),
            Self::Ledger { is_degraded: true, .. } => Some(UNKNOWN),
            Self::Free { .. } | Self::Limiter { .. } | Self::Ledger { .. } => None,
        }
    }
}

fn of(budget: &LedgerBudget<'_>) -> [Value; 4] {
    let (kind, name) = budget.scope.names();
    [budget.since_ms.into(), budget.until_ms.into(), kind.into(), name.into()]
}

fn budget_use(row: &Row) -> Result<BudgetUse, StoreError> {
    Ok(BudgetUse { settled_nanousd: row.int(0)?, running_nanousd: row.int(1)? })
}

fn no_sum() -> StoreError {
    StoreError::Failed("a sum without a row".to_owned())
}
