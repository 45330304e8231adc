//! The real Vercel CLI on an upload of this project, without an account.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod cli;
mod dev;
mod upload;
