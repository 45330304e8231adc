//! Every route through its real binary, over HTTP, against real Postgres and Redis.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails, and its tasks are its own")]

mod bad_input;
mod books;
mod budgets;
mod chat;
mod conversations;
mod durability;
mod hang_ups;
mod health;
mod limits;
mod messages;
mod tokens;
mod upstream_errors;
mod usage;
mod wire;
