//! One contract for the store, held on SQLite, on Postgres, and on Postgres through PgBouncer in transaction mode.

mod catalogue;
mod engines;
mod ledger;
mod migrations;
mod outages;
mod statements;
mod turns;
