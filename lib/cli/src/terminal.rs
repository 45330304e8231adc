//! What the command prints. A closed pipe is no reason to fail, so errors of writing are dropped.

use std::{fmt, io::Write};

/// The terminal: standard output for what was asked for, standard error for what went wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal;

impl Terminal {
    /// One line on standard output.
    pub fn line(self, text: impl fmt::Display) {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    /// One line on standard error, after the program's name.
    pub fn error(self, text: impl fmt::Display) {
        let _ = writeln!(std::io::stderr().lock(), "purser: {text}");
    }
}
