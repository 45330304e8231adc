//! One suite for every place where limits can live, and what the wire to Redis must survive.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod breaker;
mod budgets;
mod concurrency;
mod extending;
mod hashes;
mod identities;
mod keeping;
mod late;
mod lost;
mod official_client;
mod outages;
mod rig;
mod schedules;
mod several;
mod slots;
mod windows;
mod wire;
