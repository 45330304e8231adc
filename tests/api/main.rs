//! Every route through its real binary, over HTTP, against real Postgres and Redis.

mod bad_input;
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
