//! cost

pub mod hashes;
