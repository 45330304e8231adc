//! The real Vercel CLI on a copy of this project, without an account.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod build;
mod copy;
mod dev;
