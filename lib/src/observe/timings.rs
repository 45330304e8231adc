//! How long the steps of a request took.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Steps in the order in which they ended, such as `auth`, `limit`, `store`, `model`, `settle`.
#[derive(Debug, Default)]
pub struct Timings(Mutex<Vec<(&'static str, Duration)>>);

impl Timings {
    /// Adds a step.
    pub fn add(&self, step: &'static str, took: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((step, took));
    }

    /// The steps so far, in microseconds.
    pub fn steps_us(&self) -> Vec<(&'static str, u64)> {
        let steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        steps.iter().map(|(step, took)| (*step, u64::try_from(took.as_micros()).unwrap_or(u64::MAX))).collect()
    }

    /// The value of a `Server-Timing` header (W3C Server Timing: milliseconds), with the whole as `total`.
    pub fn header(&self, total: Duration) -> String {
        let mut text = String::new();
        let total_us = u64::try_from(total.as_micros()).unwrap_or(u64::MAX);
        for (step, us) in self.steps_us().into_iter().chain([("total", total_us)]) {
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}{step};dur={}.{:03}", us / 1_000, us % 1_000);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_milliseconds_with_three_places() {
        let timings = Timings::default();
        timings.add("limit", Duration::from_micros(1_050));
        assert_eq!(timings.header(Duration::from_millis(12)), "limit;dur=1.050, total;dur=12.000");
    }
}
