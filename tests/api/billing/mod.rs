//! What is sold, from the click to the plan in force.

mod accounts;
mod checkout;
mod outages;
mod permutations;
mod reconcile;
mod signatures;
mod webhook;

use purser_tests::deployment::Cache;

/// Postgres with Redis, and SQLite alone.
const STORES: [Cache; 2] = [Cache::Redis, Cache::Sqlite];
