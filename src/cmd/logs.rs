//! `rc logs`.

use super::Ctx;
use crate::container::logs::{Entry, LogStream, Select, Sink};
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::{Invalid, go_duration};
use crate::ui::{self, BrokenOutput, Output};
use crate::view::when::{self, Clock};

/// Fetch the logs of a container
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Follow log output
    #[arg(short, long)]
    follow: bool,
    /// Show logs since TIMESTAMP
    #[arg(long, value_name = "TIMESTAMP", allow_hyphen_values = true)]
    since: Option<String>,
    /// Output the specified number of LINES at the end of the logs (default: all)
    #[arg(long, value_name = "LINES", default_value = "all", hide_default_value = true, allow_hyphen_values = true)]
    tail: Tail,
    /// Output the timestamps in the log
    #[arg(short, long)]
    timestamps: bool,
    /// Show logs until TIMESTAMP
    #[arg(long, value_name = "TIMESTAMP", allow_hyphen_values = true)]
    until: Option<String>,
    /// The container's name or ID
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// How many lines `--tail` shows; `all` and negative numbers mean all lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tail(Option<u64>);

impl std::str::FromStr for Tail {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "all" {
            return Ok(Self(None));
        }
        let lines: i64 =
            text.parse().map_err(|_| Invalid::new("number of lines", text, "must be a number or `all`"))?;
        Ok(Self(u64::try_from(lines).ok()))
    }
}

impl Args {
    fn select(&self, clock: Clock) -> Result<Select, Invalid> {
        let at = |text: &str| when::parse(text, clock);
        // As with podman, a duration is ahead if there is something to follow; otherwise, as with docker, it is past.
        let until = |text: &str| match go_duration(text.trim()).filter(|_| self.follow) {
            Some(length) => clock.now.checked_add(length.abs()).or_else(|_| at(text)),
            None => at(text),
        };
        Ok(Select {
            tail: self.tail.0,
            since: self.since.as_deref().map(at).transpose()?,
            until: self.until.as_deref().map(until).transpose()?,
        })
    }
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let log = engine::log(&ctx.engine, &args.container, args.follow)?;
    log.read(&args.select(ctx.engine.clock())?, &mut Screen::new(args.timestamps))?;
    Ok(Exit::SUCCESS)
}

/// Copies each stream of the program to the same stream of rc, byte for byte.
struct Screen {
    out: Output,
    /// `None` if both streams go to the same place: then one buffer keeps their order.
    err: Option<Output>,
    timestamps: bool,
    /// Whether the last entry of standard output, and of standard error, ended in the middle of a line.
    is_open: [bool; 2],
}

impl Screen {
    fn new(timestamps: bool) -> Self {
        let err = if ui::streams_are_one() { None } else { Some(ui::err()) };
        Self { out: ui::out(), err, timestamps, is_open: [false; 2] }
    }
}

impl Sink for Screen {
    type Error = BrokenOutput;

    #[inline]
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), BrokenOutput> {
        let (is_open, to) = match (entry.stream, &mut self.err) {
            (LogStream::Stdout, _) => (&mut self.is_open[0], &mut self.out),
            (LogStream::Stderr, Some(err)) => (&mut self.is_open[1], err),
            (LogStream::Stderr, None) => (&mut self.is_open[1], &mut self.out),
        };
        if self.timestamps && !*is_open {
            to.raw(entry.time)?;
            to.raw(b" ")?;
        }
        *is_open = entry.is_partial;
        to.raw(entry.text)?;
        if entry.is_partial { Ok(()) } else { to.raw(b"\n") }
    }

    fn caught_up(&mut self) -> Result<(), BrokenOutput> {
        self.out.finish()?;
        self.err.as_mut().map_or(Ok(()), Output::finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_ahead_for_until_if_the_log_is_followed() {
        let clock = Clock::at("2026-01-02T12:00:00Z");
        for (follow, since, until, expected) in [
            (true, Some("10m"), Some("3s"), (Some("2026-01-02T11:50:00Z"), Some("2026-01-02T12:00:03Z"))),
            (true, None, Some(" 1h30m"), (None, Some("2026-01-02T13:30:00Z"))),
            (true, None, Some("-3s"), (None, Some("2026-01-02T12:00:03Z"))),
            (true, None, Some("2026-01-02T11:00:00Z"), (None, Some("2026-01-02T11:00:00Z"))),
            (true, Some("3s"), None, (Some("2026-01-02T11:59:57Z"), None)),
            (false, None, Some("3s"), (None, Some("2026-01-02T11:59:57Z"))),
            (false, None, Some("-3s"), (None, Some("2026-01-02T12:00:03Z"))),
        ] {
            let [since, until] = [since, until].map(|text| text.map(str::to_owned));
            let args = Args { follow, since, until, ..Args::default() };
            let select = args.select(clock).expect("times");
            let [since, until] = [select.since, select.until].map(|time| time.map(|time| time.to_string()));
            assert_eq!((since.as_deref(), until.as_deref()), expected, "{args:?}");
        }
        let args = Args { follow: true, until: Some("soon".to_owned()), ..Args::default() };
        assert!(args.select(clock).is_err());
    }

    #[test]
    fn tail_is_a_number_or_all() {
        for (text, lines) in [("all", None), ("-1", None), ("0", Some(0)), ("10", Some(10))] {
            assert_eq!(text.parse(), Ok(Tail(lines)), "{text}");
        }
        assert!("ten".parse::<Tail>().is_err() && "".parse::<Tail>().is_err());
    }
}
