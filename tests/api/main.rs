//! Every route through its real binary, over HTTP, against real Postgres and Redis.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails, and its tasks are its own")]

mod account;
mod api_keys;
mod bad_input;
mod billing;
mod books;
mod budgets;
mod chat;
mod chat_files;
mod chat_tools;
mod conversations;
mod degraded;
mod degraded_budgets;
mod durability;
mod elastic;
mod hang_ups;
mod health;
mod isolation;
mod issuer;
mod limits;
mod messages;
mod models;
mod plan_in_force;
mod prompt_cache;
mod refresh;
mod resume;
mod resume_faults;
mod sentry;
mod sign_in;
mod sign_out;
mod streaming;
mod tokens;
mod upstream_errors;
mod usage;
mod wire;
