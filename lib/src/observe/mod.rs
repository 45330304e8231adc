//! What is said about a request: one log line, and its timings.

pub mod alarms;
mod record;
pub(crate) mod reports;
pub(crate) mod sentry;
mod timings;

pub use record::{Level, Record};
pub use timings::Timings;
