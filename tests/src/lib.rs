//! The harness: private services, real function binaries, HTTP. A harness panics where its surroundings fail it: a
//! test without them must not pass.
#![expect(clippy::unwrap_used, clippy::panic, reason = "see above")]
#![expect(clippy::disallowed_methods, reason = "processes and threads of the tests are the tests' own")]

pub mod account;
pub mod certificates;
pub mod contract;
pub mod deployment;
pub mod function;
pub mod http;
pub mod ingest;
pub mod packages;
pub mod private_postgres;
pub mod private_redis;
pub mod provider;
pub mod relay;
pub mod services;
pub mod shop;
pub mod store_clock;
pub mod stripe;
pub mod token;
pub mod upstash;
