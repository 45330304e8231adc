//! The store: one SQL text for Postgres and SQLite.
//!
//! Repositories take the owner first, so that no query can forget whose rows it may see.

mod api_keys;
mod billing;
mod billing_readings;
mod budget_accounts;
mod calls;
mod carried;
mod chat_turn;
mod conversations;
mod error;
mod export;
mod guard;
mod ledger_budget;
mod ledger_rows;
mod ledger_sums;
mod messages;
mod migrate;
mod postgres;
mod running_answers;
mod sessions;
mod settlement;
#[cfg(sqlite)]
mod sqlite;
mod turn_sql;
mod usage_sums;
mod users;
mod value;

pub use api_keys::{KEYS_MAX, StoredKey};
pub use billing::BillingAccount;
pub use billing_readings::{BillingReading, DueCheck, PlanInForce, TakenEvent, Ticket};
pub use budget_accounts::{BudgetAccount, Scope};
pub use calls::NewCall;
pub use chat_turn::{Begun, ChatTurn, SeedMessage, StoredMessage, Turn};
pub use conversations::{Conversation, Cursor};
pub use error::{Constraint, StoreError};
pub use export::Kept;
pub use guard::{Guard, Shown};
pub use ledger_budget::{BudgetUse, LedgerBudget, Money, Raised};
pub use ledger_rows::LedgerRow;
pub use ledger_sums::LedgerSum;
pub use messages::Message;
pub use postgres::{PostgresOptions, PostgresStore};
pub use running_answers::RunningAnswer;
pub use sessions::{NewSession, Rotated, Rotation, Session, Which};
pub use settlement::{AssistantMessage, Settlement};
pub use usage_sums::{DayUsage, UsageSum};
pub use users::{GONE, NewUser, Profile, User, UserChange};
pub use value::{Row, Statement, Value};

/// Conversations, messages and the ledger. Cheap to clone; opens nothing before its first use.
#[derive(Clone)]
pub enum Store {
    /// Postgres, pooled.
    Postgres(PostgresStore),
    /// One SQLite file, in development.
    #[cfg(sqlite)]
    Sqlite(crate::sqlite::Sqlite),
    /// Another one, for a caller whose session or key must still count whenever something runs.
    Guarded(Box<(Store, Guard)>),
}

impl Store {
    /// Postgres behind a URL.
    ///
    /// # Errors
    /// `Malformed` where the URL cannot be read; its text is not repeated.
    pub fn postgres(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        PostgresStore::new(url, options).map(Self::Postgres)
    }

    /// Rows of one statement.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Postgres(store) => store.rows(&statement).await,
            #[cfg(sqlite)]
            Self::Sqlite(db) => sqlite::rows(db, statement).await,
            Self::Guarded(pair) => {
                let rows = guard::run(&pair.0, &pair.1, vec![statement]).await?;
                Ok(rows.into_iter().next().unwrap_or_default())
            }
        }
    }

    /// Several statements, all or nothing, in order; none may depend on another's rows. On Postgres they are one
    /// pipelined round trip.
    ///
    /// # Errors
    /// The first statement's that failed; nothing is written then.
    pub async fn atomic(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        match self {
            Self::Postgres(store) => store.atomic(&statements).await,
            #[cfg(sqlite)]
            Self::Sqlite(db) => sqlite::atomic(db, statements).await,
            Self::Guarded(pair) => guard::run(&pair.0, &pair.1, statements).await,
        }
    }

    /// Brings the tables up to date; safe to run from several processes at once. Returns what was done.
    ///
    /// # Errors
    /// [`StoreError`]; a migration that fails leaves nothing behind.
    pub async fn migrate(&self) -> Result<Vec<&'static str>, StoreError> {
        migrate::run(self).await
    }

    /// Opens a connection, if none is open; errors wait for the first use.
    pub async fn warm(&self) {
        match self {
            Self::Postgres(store) => store.warm().await,
            #[cfg(sqlite)]
            Self::Sqlite(_) => {}
            Self::Guarded(pair) => Box::pin(pair.0.warm()).await,
        }
    }
}
