//! Migrations: numbered files, each applied once, each whole or not at all.

use super::{Statement, Store, StoreError};

const MIGRATIONS: &[(&str, &str)] = &[
    ("0001_conversations_and_ledger", include_str!("migrations/0001_conversations_and_ledger.sql")),
    ("0002_accounts", include_str!("migrations/0002_accounts.sql")),
    ("0003_billing", include_str!("migrations/0003_billing.sql")),
    ("0004_billing_truth", include_str!("migrations/0004_billing_truth.sql")),
    ("0005_files_and_tool_results", include_str!("migrations/0005_files_and_tool_results.sql")),
    ("0006_degraded", include_str!("migrations/0006_degraded.sql")),
    ("0007_budget_sums", include_str!("migrations/0007_budget_sums.sql")),
];

/// Any number that nothing else locks: it keeps two migrating processes apart.
const LOCK: &str = "select pg_advisory_xact_lock(7247263481);";

pub(super) async fn run(store: &Store) -> Result<Vec<&'static str>, StoreError> {
    let mut done = applied(store).await.unwrap_or_default();
    let mut new = Vec::new();
    for (name, sql) in MIGRATIONS {
        if done.iter().any(|one| one == name) {
            continue;
        }
        match apply(store, name, sql).await {
            Ok(()) => new.push(*name),
            // Another process was first: then its migration counts.
            Err(error) => {
                done = applied(store).await?;
                if !done.iter().any(|one| one == name) {
                    return Err(error);
                }
            }
        }
    }
    Ok(new)
}

async fn applied(store: &Store) -> Result<Vec<String>, StoreError> {
    let rows = store.rows(Statement::new("select name from purser_migrations", [])).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// One migration with its record. The record comes first: where another process has written it meanwhile, the key
/// is taken and the whole transaction is undone.
async fn apply(store: &Store, name: &str, sql: &str) -> Result<(), StoreError> {
    let table = "create table if not exists purser_migrations (name text primary key);";
    let record = format!("insert into purser_migrations (name) values ('{name}');");
    match store {
        Store::Postgres(postgres) => postgres.script(&format!("begin; {LOCK} {table} {record} {sql}; commit;")).await,
        #[cfg(sqlite)]
        Store::Sqlite(db) => {
            let text = format!("begin immediate; {table} {record} {sql}; commit;");
            let done = super::sqlite::script(db, text).await;
            if done.is_err() {
                // A failed batch leaves its transaction open.
                let _ = super::sqlite::script(db, "rollback;".to_owned()).await;
            }
            done
        }
        Store::Guarded(pair) => Box::pin(apply(&pair.0, name, sql)).await,
    }
}
