//! Times as people type them: `--since`, `--until`, `--filter until=`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::types::Invalid;

/// The current time, and the time zone of the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Now.
    pub(crate) now: Timestamp,
    /// Returns the zone. Only times without an offset need it: finding it means reading files.
    pub(crate) zone: fn() -> TimeZone,
}

#[cfg(test)]
impl Clock {
    /// A clock at `now`, in UTC.
    pub(crate) fn at(now: &str) -> Self {
        Self { now: now.parse().expect("a time"), zone: || TimeZone::UTC }
    }
}

/// Parses a time: RFC 3339 (`2026-01-02T15:04:05.5+01:00`), the same without an offset or without a time of day (in the
/// clock's zone), Unix seconds (`1767366245.5`), or how long ago as a duration of Go (`10m`, `1h30m`; `-2h` is in the
/// future).
///
/// Source: docker/cli `opts`, `timetypes.GetTimestamp`.
pub(crate) fn parse(text: &str, clock: Clock) -> Result<Timestamp, Invalid> {
    let trimmed = text.trim();
    let local = |time: DateTime| time.to_zoned((clock.zone)()).ok().map(|zoned| zoned.timestamp());
    unix_seconds(trimmed)
        .or_else(|| go_duration(trimmed).and_then(|length| clock.now.checked_sub(length).ok()))
        .or_else(|| trimmed.parse::<Timestamp>().ok())
        .or_else(|| trimmed.parse::<DateTime>().ok().and_then(local))
        .or_else(|| {
            trimmed.parse::<Date>().ok().and_then(|date| local(date.to_datetime(jiff::civil::Time::midnight())))
        })
        .ok_or_else(|| {
            Invalid::new("time", text, "must be RFC 3339, Unix seconds, or how long ago, such as `10m` or `1h30m`")
        })
}

fn unix_seconds(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if seconds.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(seconds, nanoseconds).ok()
}

/// Parses a duration as Go's `time.ParseDuration`: an optional sign, then numbers with units `h m s ms us ns`.
pub(crate) fn go_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit_end =
            rest[number_end..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |n| n + number_end);
        let unit: i128 = match &rest[number_end..unit_end] {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = rest[..number_end].split_once('.').unwrap_or((&rest[..number_end], ""));
        if whole.len() + fraction.len() == 0 || fraction.len() > 15 {
            return None;
        }
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
        let scale = 10i128.pow(u32::try_from(fraction.len()).ok()?);
        nanoseconds = nanoseconds
            .checked_add(digits(whole)?.checked_mul(unit)?)?
            .checked_add(digits(fraction)?.checked_mul(unit)? / scale)?;
        rest = &rest[unit_end..];
    }
    let nanoseconds = i64::try_from(nanoseconds).ok()?;
    Some(SignedDuration::from_nanos(if negative { -nanoseconds } else { nanoseconds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_point_in_time() {
        let clock = Clock::at("2026-01-02T12:00:00Z");
        for (text, expected) in [
            ("2026-01-02T11:00:00Z", "2026-01-02T11:00:00Z"),
            ("2026-01-02T11:00:00.25+01:00", "2026-01-02T10:00:00.25Z"),
            ("1767366245", "2026-01-02T15:04:05Z"),
            ("1767366245.5", "2026-01-02T15:04:05.5Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("10m", "2026-01-02T11:50:00Z"),
            ("1h30m", "2026-01-02T10:30:00Z"),
            ("1.5s", "2026-01-02T11:59:58.5Z"),
            ("-2h", "2026-01-02T14:00:00Z"),
            ("250ms", "2026-01-02T11:59:59.75Z"),
        ] {
            assert_eq!(parse(text, clock).map(|t| t.to_string()), Ok(expected.to_owned()), "{text}");
        }
        let east = Clock { zone: || TimeZone::fixed(jiff::tz::offset(2)), ..clock };
        for (text, expected) in
            [("2026-01-02", "2026-01-01T22:00:00Z"), ("2026-01-02T10:00:00", "2026-01-02T08:00:00Z")]
        {
            assert_eq!(parse(text, east).map(|t| t.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for bad in ["", "yesterday", "1x", "h", "--1h", "99999999999999h", "2026-13-01"] {
            assert!(parse(bad, clock).is_err(), "{bad}");
        }
    }
}
