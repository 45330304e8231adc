//! `purser`: run the backend on one machine.
fn main() {}
