//! What is said about a request: one log line, and its timings.

mod record;
mod timings;

pub use record::{Level, Record};
pub use timings::Timings;
