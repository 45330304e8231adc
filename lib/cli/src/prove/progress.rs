//! The bar on a terminal. Elsewhere, nothing.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

const WIDTH: usize = 24;

/// How far a run is.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
    from: Instant,
    /// Of a soak.
    lasts: Option<Duration>,
    done: usize,
    all: usize,
}

impl Progress {
    pub(super) fn new(all: usize, lasts: Option<Duration>) -> Self {
        Self { is_shown: std::io::stderr().is_terminal(), from: Instant::now(), lasts, done: 0, all }
    }

    /// A scenario begins.
    pub(super) fn begin(&self, name: &str) {
        let seconds = self.from.elapsed().as_secs();
        let (part, whole) = match self.lasts {
            Some(lasts) => (seconds.min(lasts.as_secs()), lasts.as_secs().max(1)),
            None => (self.done as u64, self.all.max(1) as u64),
        };
        let full = usize::try_from(part * WIDTH as u64 / whole).unwrap_or(WIDTH).min(WIDTH);
        let bar = format!("[{}{}]", "=".repeat(full), " ".repeat(WIDTH - full));
        self.write(&format!("\r\x1b[2K{bar} {seconds:>4} s  {name}"));
    }

    /// It is over.
    pub(super) fn end(&mut self) {
        self.done += 1;
    }

    fn write(&self, text: &str) {
        if self.is_shown {
            let mut terminal = std::io::stderr().lock();
            let _ = terminal.write_all(text.as_bytes());
            let _ = terminal.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.write("\r\x1b[2K");
    }
}
