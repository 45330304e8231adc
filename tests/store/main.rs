//! One contract for the store, held on SQLite, on Postgres, and on Postgres through PgBouncer in transaction mode.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test panics where it fails, and its tasks are its own"
)]

mod billing;
mod budgets;
mod catalogue;
mod engines;
mod ledger;
mod ledger_budgets;
mod migrations;
mod outages;
mod statements;
mod turns;
