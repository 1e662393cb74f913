//! RFC 3339 timestamps in UTC, as the workspace API writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-01-31T12:00:00Z`, whole seconds, rounded down; times that it cannot name become the nearest that it can.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = i64::try_from(epoch_seconds(time).min(LAST)).unwrap_or_default();
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(&Rfc3339).unwrap_or_default()
}

/// The last second that an HTTP date and RFC 3339 can name: the end of the year 9999.
const LAST: u64 = 253_402_300_799;

/// `by` after `time`, and no later than the year 9999.
pub(crate) fn later(time: SystemTime, by: Duration) -> SystemTime {
    let last = UNIX_EPOCH + Duration::from_secs(LAST);
    time.checked_add(by).map_or(last, |sum| sum.min(last))
}

/// The form of `Date` and `Retry-After`; times that it cannot name become the nearest that it can.
pub(crate) fn http_date(time: SystemTime) -> String {
    let seconds = epoch_seconds(time).min(LAST);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Whole seconds since 1970, zero before.
pub(crate) fn epoch_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Reads an RFC 3339 timestamp from 1970 on, to the second.
pub(crate) fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    let seconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp();
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(rfc3339(time), text);
            assert_eq!(parse_rfc3339(text), Some(time));
        }
        assert_eq!(
            parse_rfc3339("2025-01-01T01:30:00.123456789+01:30"),
            parse_rfc3339("2025-01-01T00:00:00Z")
        );
        for wrong in ["", "2025", "2025-13-01T00:00:00Z", "2025-01-01T00:00:00", "x-y-zTa:b:cZ"] {
            assert_eq!(parse_rfc3339(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn far_times_are_cut() {
        let end = later(UNIX_EPOCH, Duration::MAX);
        assert_eq!(rfc3339(end), "9999-12-31T23:59:59Z");
        assert_eq!(http_date(end + Duration::from_secs(9)), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(http_date(UNIX_EPOCH - Duration::from_secs(9)), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    proptest! {
        #[test]
        fn round_trip(seconds in 0u64..253_402_300_799) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            prop_assert_eq!(parse_rfc3339(&rfc3339(time)), Some(time));
        }

        #[test]
        fn any_text_is_survived(text in ".{0,40}") {
            let _ = parse_rfc3339(&text);
        }
    }
}
