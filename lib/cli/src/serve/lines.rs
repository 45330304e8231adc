//! Where the lines go that functions write.

use std::{
    fmt::Display,
    fs::File,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use crate::Terminal;

/// Where the lines go that functions write.
#[derive(Clone, Debug)]
pub(crate) enum Lines {
    /// To the terminal.
    Terminal(Terminal),
    /// Into a file.
    File(Arc<Mutex<File>>),
    /// Nowhere.
    Dropped,
}

impl Lines {
    /// One line. A full disk or a closed pipe is no reason to fail.
    pub(crate) fn line(&self, text: impl Display) {
        match self {
            Self::Terminal(terminal) => terminal.line(text),
            Self::File(file) => {
                let _ = writeln!(file.lock().unwrap_or_else(PoisonError::into_inner), "{text}");
            }
            Self::Dropped => {}
        }
    }
}
