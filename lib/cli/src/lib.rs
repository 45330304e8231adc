//! Everything behind the `purser` command.
