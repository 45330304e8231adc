//! Purser: the backend of a Claude-powered app, one library under many small functions.
//!
//! *Routes tell the story, modules know one thing, [`serve`] knows Vercel.*
//!
//! | module | knows |
//! | --- | --- |
//! | [`serve`] | the platform: bodies, panics, request ids, logs, work after the answer |
//! | [`ctx`] | what a handler is given: lazy handles, and what combines two modules |
//! | [`http`] | requests, answers, problems, cookies, event streams |
//! | [`auth`] | who asks: bearer tokens, personal API keys and anonymous browsers |
//! | [`account`] | what an account is made of: addresses, passwords and their hashes |
//! | [`limit`] | windows, holds and budgets, taken all or nothing in one atomic step |
//! | [`store`] | Postgres and SQLite under one SQL text: conversations, messages, the ledger |
//! | [`claude`] | the Messages API: requests, event streams, usage |
//! | [`books`] | the ledger and its copies: closing calls, finding dead ones, opening what was lost, comparing |
//! | [`cost`] | prices, exact cost, usage hashes |
//! | [`billing`] | the plan that is paid for: Stripe's word, written down and in force |
//! | [`stripe`] | Stripe's API: customers, Checkout, subscriptions, signed events |
//! | [`chat`] | the AI SDK's body and stream, and stored conversations |
//! | [`cache`] | Redis over TCP and Upstash over REST |
//! | [`recording`] | running answers, written down for whoever follows them from another instance |
//! | [`usage_report`] | what a caller used, as JSON |
//! | [`observe`] | log lines and timings |
//! | [`config`], [`env`](mod@env), [`error`], [`clock`], [`hex`], [`ids`], [`usage`], [`stream_event`], [`net`], `json`, `sqlite` | the ground floor |
#![warn(missing_docs)]

pub mod account;
pub mod auth;
pub mod billing;
pub mod books;
pub mod cache;
pub mod chat;
pub mod claude;
pub mod clock;
pub mod config;
pub mod cost;
pub mod ctx;
pub mod env;
pub mod error;
pub mod hex;
pub mod http;
pub mod ids;
mod json;
pub mod limit;
pub mod net;
pub mod observe;
pub mod recording;
pub mod sabotage;
pub mod serve;
#[cfg(sqlite)]
pub mod sqlite;
pub mod store;
pub mod stream_event;
pub mod stripe;
pub mod usage;
pub mod usage_report;

pub use ctx::Ctx;
pub use error::{Code, Error};

/// The commit that Vercel deployed, else the crate's version.
pub fn version() -> String {
    env::get(&env::VERCEL_GIT_COMMIT_SHA).unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}
