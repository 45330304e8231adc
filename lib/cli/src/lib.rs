//! Everything behind the `purser` command.
//!
//! | module | knows |
//! | --- | --- |
//! | [`commands`] | the command line: one file per command |
//! | [`serve`] | the supervisor: functions, routes, static files, as the platform has them |
//! | `prove` | what breaks, and what the books say afterwards |
//! | [`standin`] | a Claude that costs nothing and speaks the real wire; tests use the same one |
#![warn(missing_docs)]

mod background;
mod body;
pub mod commands;
mod listen;
mod prove;
pub mod serve;
pub mod standin;
mod terminal;

pub use terminal::Terminal;
