//! Wall-clock time, and its formats: RFC 3339 and HTTP dates.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{Error, ErrorKind};

/// A moment of wall-clock time in milliseconds since 1970-01-01T00:00:00Z.
///
/// The clocks of the service and of this machine may differ, so each use documents its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_unix_millis(self) -> i64 {
        self.0
    }

    /// Parses the date of the HTTP headers `Date` and `Retry-After`: `Sun, 06 Nov 1994 08:49:37 GMT`.
    ///
    /// This format is IMF-fixdate, the only one that a sender may use (RFC 9110, section 5.6.7). Other text is `None`,
    /// including the two obsolete formats. The name of the day is not checked.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let rest = text.as_bytes().get(3..)?.strip_suffix(b" GMT")?;
        http_date(rest).map(|seconds| Self(seconds * 1000))
    }

    /// This moment plus `duration`, stopping at the largest representable one.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This moment minus `duration`, stopping at the smallest representable one.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// The time from `earlier` to here; zero if `earlier` is later.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        u64::try_from(self.0.saturating_sub(earlier.0))
            .map_or(Duration::ZERO, Duration::from_millis)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Writes `2026-01-31T23:59:59.5Z`: UTC, with as many fractional digits as needed up to three.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        let (seconds, fraction) = (rest / 1000, rest % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if fraction != 0 {
            write!(f, ".{}", format!("{fraction:03}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// Parses RFC 3339: `T`, `t` or a space between date and time, any number of fractional digits (truncated to
/// milliseconds), `Z` or an offset. A leap second counts as the first moment of the next minute.
impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text.as_bytes()).ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                "not an RFC 3339 timestamp; accepted: 2026-01-31T23:59:59Z and the like",
            )
        })
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let mut rest = text;
    let year = number(&mut rest, 4)?;
    literal(&mut rest, b"-")?;
    let month = number(&mut rest, 2)?;
    literal(&mut rest, b"-")?;
    let day = number(&mut rest, 2)?;
    literal(&mut rest, b"Tt ")?;
    let seconds = seconds_from_civil([year, month, day], time_of_day(&mut rest)?)?;
    let mut fraction = 0;
    if literal(&mut rest, b".").is_some() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (written, after) = rest.split_at_checked(digits).filter(|_| digits > 0)?;
        rest = after;
        for place in 0..3 {
            fraction = fraction * 10 + written.get(place).map_or(0, |byte| i64::from(byte - b'0'));
        }
    }
    let offset = match rest.split_first()? {
        (b'Z' | b'z', after) => {
            rest = after;
            0
        }
        (sign @ (b'+' | b'-'), after) => {
            rest = after;
            let hours = number(&mut rest, 2).filter(|hours| *hours < 24)?;
            literal(&mut rest, b":")?;
            let minutes = number(&mut rest, 2).filter(|minutes| *minutes < 60)?;
            (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    if !rest.is_empty() {
        return None;
    }
    Some(Timestamp((seconds - offset * 60) * 1000 + fraction))
}

/// Parses `, 06 Nov 1994 08:49:37` to the seconds since 1970.
fn http_date(mut rest: &[u8]) -> Option<i64> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    literal(&mut rest, b",")?;
    literal(&mut rest, b" ")?;
    let day = number(&mut rest, 2)?;
    literal(&mut rest, b" ")?;
    let (name, after) = rest.split_at_checked(3)?;
    rest = after;
    let month =
        (1..).zip(MONTHS.chunks(3)).find_map(|(month, it)| (it == name).then_some(month))?;
    literal(&mut rest, b" ")?;
    let year = number(&mut rest, 4)?;
    literal(&mut rest, b" ")?;
    let seconds = seconds_from_civil([year, month, day], time_of_day(&mut rest)?)?;
    rest.is_empty().then_some(seconds)
}

/// Parses `08:49:37`.
fn time_of_day(rest: &mut &[u8]) -> Option<[i64; 3]> {
    let hour = number(rest, 2)?;
    literal(rest, b":")?;
    let minute = number(rest, 2)?;
    literal(rest, b":")?;
    Some([hour, minute, number(rest, 2)?])
}

fn number(rest: &mut &[u8], digits: usize) -> Option<i64> {
    let (written, after) = rest.split_at_checked(digits)?;
    *rest = after;
    written.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })
}

fn literal(rest: &mut &[u8], accepted: &[u8]) -> Option<()> {
    let (first, after) = rest.split_first()?;
    accepted.contains(first).then(|| *rest = after)
}

/// Seconds since 1970-01-01T00:00:00Z; `None` for an invalid day or time. A minute may have 61 seconds.
fn seconds_from_civil(
    [year, month, day]: [i64; 3],
    [hour, minute, second]: [i64; 3],
) -> Option<i64> {
    let in_range = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let minutes = days_from_civil(year, month, day) * 1440 + hour * 60 + minute;
    in_range.then_some(minutes * 60 + second)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years start in March here, so that the leap day is last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, millis: Option<i64>) {
        assert_eq!(text.parse::<Timestamp>().ok().map(Timestamp::as_unix_millis), millis, "{text}");
    }

    #[test]
    fn reads_what_services_write() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2025-01-01T00:00:00Z", Some(1_735_689_600_000));
        check("2025-01-01T02:30:00.123456789+02:30", Some(1_735_689_600_123));
        check("2024-12-31 19:00:00-05:00", Some(1_735_689_600_000));
        check("2016-12-31T23:59:60Z", Some(1_483_228_800_000));
        check("2000-02-29t00:00:00.5z", Some(951_782_400_500));
        check("0000-01-01T00:00:00Z", Some(-62_167_219_200_000));
    }

    #[test]
    fn refuses_what_is_not_a_moment() {
        for text in [
            "",
            "2025",
            "2025-01-01",
            "2025-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-01-00T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:60:00Z",
            "2025-01-01T00:00:61Z",
            "2025-01-01T00:00:00",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00+2",
            "2025-01-01T00:00:00Zx",
            "+025-01-01T00:00:00Z",
            "２025-01-01T00:00:00Z",
            "2025-01-01T00:00:00+24:00",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn reads_the_dates_of_http_headers() {
        let sunday = Timestamp::from_unix_millis(784_111_777_000);
        assert_eq!(Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(sunday));
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994  08:49:37 GMT",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(Timestamp::from_http_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_agree(millis in -62_167_219_200_000i64..253_402_300_800_000) {
            let moment = Timestamp::from_unix_millis(millis);
            prop_assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<Timestamp>();
            let _ = Timestamp::from_http_date(&format!("Sun, {text} GMT"));
        }
    }
}
