//! The wall clock, in one place.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z by this machine's clock.
///
/// Functions' clocks may differ from each other; whatever must agree across instances
/// (windows, holds) uses the store's clock instead.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).saturating_add(step_ms())
}

/// How far the prover has put this process's clock off, in debug builds.
#[cfg(debug_assertions)]
fn step_ms() -> i64 {
    static STEP_MS: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *STEP_MS.get_or_init(|| {
        crate::env::get(&crate::env::PURSER_CLOCK_STEP_MS).and_then(|step| step.parse().ok()).unwrap_or(0)
    })
}

#[cfg(not(debug_assertions))]
const fn step_ms() -> i64 {
    0
}

/// The UTC calendar day of a time, as `YYYY-MM-DD`.
pub fn day_utc(time_ms: i64) -> String {
    let date = time::OffsetDateTime::from_unix_timestamp(time_ms.div_euclid(1_000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        .date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc() {
        assert_eq!(day_utc(1_795_564_799_999), "2026-11-24");
        assert_eq!(day_utc(1_795_564_800_000), "2026-11-25");
        assert_eq!(day_utc(0), "1970-01-01");
    }
}
