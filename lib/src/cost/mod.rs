//! Prices and exact cost. Money is integer nanodollars; a call's cost is rounded up once.

pub mod hashes;
mod price;
mod table;

pub use price::{CostError, InputBound, ceiling_nanousd, cost_nanousd, format_usd, parse_usd};
pub use table::{LongStep, ModelPrice, PRICE_VERSION, Rates, Status, find, models};
