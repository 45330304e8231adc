//! The wall clock, in one place.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// How far the clock that everybody shares is ahead of this machine's, as it was told last.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// Milliseconds since 1970-01-01T00:00:00Z by this machine's clock.
///
/// Functions' clocks may differ from each other; whatever must agree across instances
/// (windows, holds) uses the store's clock instead.
pub fn now_ms() -> i64 {
    machine_ms().saturating_add(step_ms())
}

/// The same by the clock that all instances share, the limiter's, as far as this one knows it: what different instances
/// write about one call can be compared.
pub fn shared_now_ms() -> i64 {
    now_ms().saturating_add(AHEAD_MS.load(Ordering::Relaxed))
}

/// Learns what the shared clock says.
pub(crate) fn learn_shared(at_ms: i64) {
    AHEAD_MS.store(at_ms.saturating_sub(now_ms()), Ordering::Relaxed);
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn machine_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The store's clock where a test has moved it, in debug builds: by as many milliseconds as stand in a file.
#[cfg(debug_assertions)]
pub(crate) fn moved_store_ms() -> Option<i64> {
    let file = crate::env::get(&crate::env::PURSER_STORE_CLOCK)?;
    let step: i64 = std::fs::read_to_string(file).ok()?.trim().parse().ok()?;
    Some(machine_ms().saturating_add(step))
}

#[cfg(not(debug_assertions))]
pub(crate) const fn moved_store_ms() -> Option<i64> {
    None
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

/// A calendar period in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first midnight of a month to that of the next.
    Month,
}

/// When the period around a time begins and when it ends: the end is the first moment of the next one.
pub fn period_utc(period: Period, time_ms: i64) -> (i64, i64) {
    const DAY_MS: i64 = 86_400_000;
    let day = time_ms.div_euclid(DAY_MS);
    if period == Period::Day {
        return (day * DAY_MS, (day + 1) * DAY_MS);
    }
    let date = time::OffsetDateTime::from_unix_timestamp(time_ms.div_euclid(1_000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        .date();
    let first = day - i64::from(date.day() - 1);
    (first * DAY_MS, (first + i64::from(date.month().length(date.year()))) * DAY_MS)
}

/// A time as RFC 3339 text in UTC, to the second.
pub fn rfc3339_utc(time_ms: i64) -> String {
    let second = time_ms.div_euclid(1_000).rem_euclid(86_400);
    format!("{}T{:02}:{:02}:{:02}Z", day_utc(time_ms), second / 3_600, second / 60 % 60, second % 60)
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

    #[test]
    fn periods_follow_the_calendar() {
        let spans = |period, time_ms| {
            let (start, end) = period_utc(period, time_ms);
            [start, end].map(rfc3339_utc)
        };
        let now = 1_795_564_799_999;
        assert_eq!(spans(Period::Day, now), ["2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"]);
        assert_eq!(spans(Period::Day, now + 1), ["2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z"]);
        assert_eq!(spans(Period::Month, now), ["2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"]);
        let leap = 1_709_164_800_000;
        assert_eq!(spans(Period::Month, leap), ["2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"]);
        assert_eq!(spans(Period::Month, leap + 86_400_000), ["2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"]);
        assert_eq!(rfc3339_utc(now), "2026-11-24T23:59:59Z");
    }
}
