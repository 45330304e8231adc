//! The wall clock, in one place.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z by this machine's clock.
///
/// Functions' clocks may differ from each other; whatever must agree across instances
/// (windows, holds) uses the store's clock instead.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The UTC calendar day of a time, as `YYYY-MM-DD`.
pub fn day_utc(time_ms: i64) -> String {
    let date = time::OffsetDateTime::from_unix_timestamp(time_ms.div_euclid(1_000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
        .date();
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// A time as RFC 3339 in UTC, to the second: `2026-11-24T12:00:00Z`.
pub fn rfc3339(time_ms: i64) -> String {
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
    fn a_time_is_told_to_the_second() {
        assert_eq!(rfc3339(1_795_564_799_999), "2026-11-24T23:59:59Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
    }
}
