//! The harness: private services, real function binaries, HTTP.

pub mod services;
pub mod upstash;
