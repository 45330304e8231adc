//! What the command prints. A closed pipe is no reason to fail, so errors of writing are dropped.

use std::{fmt, io::Write};

/// The terminal: standard output for what was asked for, standard error for what went wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    is_out_kept_free: bool,
}

impl Terminal {
    /// Keeps standard output free for a document: lines go to standard error.
    #[must_use]
    pub fn keep_out_free(self) -> Self {
        Self { is_out_kept_free: true }
    }

    /// One line on standard output.
    pub fn line(self, text: impl fmt::Display) {
        if self.is_out_kept_free {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
            return;
        }
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }

    /// One line on standard error, after the program's name.
    pub fn error(self, text: impl fmt::Display) {
        let _ = writeln!(std::io::stderr().lock(), "purser: {text}");
    }
}
