//! Times as people type them: `--since`, `--until`, `--filter until=`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::types::{Invalid, go_duration};

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
