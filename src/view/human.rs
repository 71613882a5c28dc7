//! Sizes, ages and states in the words of docker and podman (`docker/go-units`).

use std::time::Duration;

use jiff::Timestamp;

use crate::monitor::{State, Status};

const DAY: u64 = 24;

/// A size in bytes with a decimal unit and three significant digits: `0 B`, `2 MB`, `4.26 MB`, `512 kB`.
pub(crate) fn size(bytes: u64) -> String {
    scaled(bytes, 1000, &DECIMAL, 3)
}

/// A size in bytes as go-units' `HumanSize` writes it: four digits and no blank, `4.261MB`.
pub(crate) fn exact_size(bytes: u64) -> String {
    scaled(bytes, 1000, &DECIMAL, 4).replace(' ', "")
}

const DECIMAL: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/// A size in bytes with a binary unit: `64MiB`, `1.5GiB`; for limits, which users write in such units.
pub(crate) fn binary_size(bytes: u64) -> String {
    scaled(bytes, 1024, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"], 3).replace(' ', "")
}

/// All integer arithmetic: go-units' floats show 999 999 bytes as `1e+03 kB`.
fn scaled(bytes: u64, base: u64, units: &[&str], significant: usize) -> String {
    let mut unit = 0;
    let mut divisor: u128 = 1;
    while unit + 1 < units.len() && u128::from(bytes) >= divisor * u128::from(base) {
        divisor *= u128::from(base);
        unit += 1;
    }
    let mut whole = u128::from(bytes) / divisor;
    let digits: usize = if unit == 0 { 0 } else { significant.saturating_sub(whole.to_string().len()) };
    let factor = 10u128.pow(u32::try_from(digits).unwrap_or(0));
    let mut rounded = (u128::from(bytes) * factor + divisor / 2) / divisor;
    whole = rounded / factor;
    if whole >= u128::from(base) && unit + 1 < units.len() {
        unit += 1;
        rounded = factor;
        whole = 1;
    }
    let fraction = rounded % factor;
    let text = if digits == 0 { whole.to_string() } else { format!("{whole}.{fraction:0digits$}") };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {}", units[unit])
}

/// A duration in words: `Less than a second`, `5 seconds`, `About a minute`, `3 hours`, `2 weeks`.
pub(crate) fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let minutes = seconds / 60;
    // From here on rounded to the nearest hour, as in go-units.
    let hours = (seconds + 1800) / 3600;
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 2 * DAY => format!("{hours} hours"),
        () if hours < 14 * DAY => format!("{} days", hours / DAY),
        () if hours < 60 * DAY => format!("{} weeks", hours / DAY / 7),
        () if hours < 2 * 365 * DAY => format!("{} months", hours / DAY / 30),
        () => format!("{} years", hours / DAY / 365),
    }
}

/// A duration as Go prints it: `1h2m3.5s`, `11.38s`, `4.933ms`, `0s`. Source: Go's `time.Duration.String`.
pub(crate) fn go_duration(length: Duration) -> String {
    let nanos = length.as_nanos();
    let fraction = |whole: u128, part: u128, digits: usize| {
        let part = format!("{part:0digits$}");
        let part = part.trim_end_matches('0');
        if part.is_empty() { whole.to_string() } else { format!("{whole}.{part}") }
    };
    match nanos {
        0 => return "0s".to_owned(),
        1..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => return fraction(nanos / 1_000, nanos % 1_000, 3) + "µs",
        1_000_000..1_000_000_000 => return fraction(nanos / 1_000_000, nanos % 1_000_000, 6) + "ms",
        _ => {}
    }
    let seconds = length.as_secs();
    let rest = fraction(u128::from(seconds % 60), u128::from(length.subsec_nanos()), 9);
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// How long ago `then` was, in words without `ago`. A time in the future (the clock was set back) counts as now.
pub(crate) fn since(then: Timestamp, now: Timestamp) -> String {
    duration(Duration::try_from(now.duration_since(then)).unwrap_or_default())
}

/// The age of an RFC 3339 time: `2 minutes ago`; `unknown` if it is not one.
pub(crate) fn ago(then: &str, now: Timestamp) -> String {
    then.parse().map_or_else(|_| "unknown".to_owned(), |then| format!("{} ago", since(then, now)))
}

/// The STATUS column: `Created`, `Up 3 seconds`, `Up 3 seconds (Paused)`, `Exited (0) 5 seconds ago`.
///
/// A container that runs and has health checks: `Up 3 seconds (healthy)`.
///
/// `status` comes from the kernel, and overrides the status on disk. A container without a record of its exit (the host
/// lost power) is `Exited (255)`, without a time.
pub(crate) fn status(state: &State, status: Status, now: Timestamp) -> String {
    let up = || match state.started_at.as_deref().and_then(|at| at.parse().ok()) {
        Some(at) => format!("Up {}", since(at, now)),
        None => "Up".to_owned(),
    };
    let health = || state.health.as_ref().map_or_else(String::new, |it| format!(" ({})", it.status.as_str()));
    match status {
        Status::Created => "Created".to_owned(),
        Status::Starting => "Starting".to_owned(),
        Status::Initialized => "Initialized".to_owned(),
        Status::Running => up() + &health(),
        Status::Paused => format!("{} (Paused)", up()),
        Status::Orphaned => format!("{} (orphaned)", up()),
        Status::Stopping => "Stopping".to_owned(),
        Status::Removing => "Removing".to_owned(),
        Status::Restarting => match &state.exit {
            Some(exit) => format!("Restarting ({}) {}", exit.code, ago(&exit.at, now)),
            None => "Restarting".to_owned(),
        },
        Status::Exited => match &state.exit {
            Some(exit) if exit.at.parse::<Timestamp>().is_ok() => {
                format!("Exited ({}) {}", exit.code, ago(&exit.at, now))
            }
            Some(exit) => format!("Exited ({})", exit.code),
            None => "Exited (255)".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::ExitRecord;

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1_997_940, "2 MB"),
            (4_261_550, "4.26 MB"),
            (77_837_000, "77.8 MB"),
            (127_837_000, "128 MB"),
            (999_499, "999 kB"),
            (999_999, "1 MB"),
            (1_500_000_000, "1.5 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
        assert_eq!(binary_size(64 << 20), "64MiB");
        assert_eq!(binary_size(1536 << 20), "1.5GiB");
    }

    #[test]
    fn durations_read_as_in_docker() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86400, "2 weeks"),
            (60 * 86400, "2 months"),
            (365 * 86400, "12 months"),
            (2 * 365 * 86400, "2 years"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text, "{seconds}");
        }
    }

    #[test]
    fn durations_of_go() {
        for (nanos, text) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (4_933_000, "4.933ms"),
            (11_380_000_000, "11.38s"),
            (60_000_000_000, "1m0s"),
            (279_028_579_000, "4m39.028579s"),
            (3_600_000_000_000, "1h0m0s"),
            (90_061_500_000_000, "25h1m1.5s"),
        ] {
            assert_eq!(go_duration(Duration::from_nanos(nanos)), text);
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_clock_that_was_set_back_never_shows_a_negative_or_absurd_age() {
        let now = at("2026-01-01T00:00:00Z");
        assert_eq!(ago("2026-01-02T00:00:00Z", now), "Less than a second ago");
        assert_eq!(ago("2025-12-31T23:58:00Z", now), "2 minutes ago");
        assert_eq!(ago("", now), "unknown");
    }

    #[test]
    fn the_status_column() {
        let now = at("2026-01-01T00:00:10Z");
        let (_, mut state) = crate::view::sample();
        state.started_at = Some("2026-01-01T00:00:07.5Z".to_owned());
        assert_eq!(status(&state, Status::Running, now), "Up 2 seconds");
        assert_eq!(status(&state, Status::Paused, now), "Up 2 seconds (Paused)");
        assert_eq!(status(&state, Status::Orphaned, now), "Up 2 seconds (orphaned)");
        assert_eq!(status(&state, Status::Created, now), "Created");
        assert_eq!(status(&state, Status::Exited, now), "Exited (255)");
        state.exit = Some(ExitRecord { code: 3, at: "2026-01-01T00:00:05Z".to_owned(), ..ExitRecord::default() });
        assert_eq!(status(&state, Status::Exited, now), "Exited (3) 5 seconds ago");
    }
}
