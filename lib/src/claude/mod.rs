//! The Messages API: what a request asks for, the client, the event stream, and usage.
//!
//! Facts: `@anthropic-ai/sdk` 1.12.0 (2026-11-20) and Anthropic's documentation of August to November 2026.

mod blocks;
mod client;
mod error;
mod input_bound;
mod observer;
mod request;
mod response;
mod sse;
mod tools;
mod wire_usage;

pub use client::{Claude, UpstreamCall};
pub use error::ClaudeError;
pub use input_bound::{OVERHEAD_TOKENS, input_tokens_bound};
pub use observer::{Observer, Outcome};
pub use request::{Asked, RequestFacts, asks_to_think};
pub use response::UpstreamResponse;
pub use sse::EventSplitter;
pub use tools::ToolFacts;

/// The newest API version: what our own requests are written for.
pub const API_VERSION: &str = "2026-10-21";
