//! Durations as people type them for docker and podman.

use std::time::Duration;

use jiff::SignedDuration;

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

/// Parses a duration that is not negative.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    go_duration(text).and_then(|length| Duration::try_from(length).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_units_and_is_not_negative() {
        for (text, millis) in [("250ms", 250), ("2s", 2000), ("1m0.5s", 60500), ("0s", 0), ("+1h", 3_600_000)] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "0", "5", "-1s", "2 s", "soon", "1d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
