//! `rc logs`.

use super::Ctx;
use crate::container::logs::{Entry, LogStream, Select, Sink};
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::Invalid;
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
        let at = |text: &Option<String>| text.as_deref().map(|text| when::parse(text, clock)).transpose();
        Ok(Select { tail: self.tail.0, since: at(&self.since)?, until: at(&self.until)? })
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
    fn tail_is_a_number_or_all() {
        for (text, lines) in [("all", None), ("-1", None), ("0", Some(0)), ("10", Some(10))] {
            assert_eq!(text.parse(), Ok(Tail(lines)), "{text}");
        }
        assert!("ten".parse::<Tail>().is_err() && "".parse::<Tail>().is_err());
    }
}
