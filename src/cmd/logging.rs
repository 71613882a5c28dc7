//! What `logs` and `pod logs` have in common: their options, and how the logs are shown.

mod screen;
mod tail;
mod together;

use std::sync::{Arc, mpsc};

use self::screen::{Screen, Style, prefix};
use self::tail::Tail;
use self::together::Together;
use super::Ctx;
use crate::container::logs::{self, Select};
use crate::engine::{self, Log};
use crate::error::{Error, Exit};
use crate::types::{Invalid, go_duration};
use crate::view::when::{self, Clock};

/// Which part of the logs is shown, and how.
#[derive(Debug, Default, clap::Args)]
pub(super) struct LogArgs {
    /// Output the containers with different colors, if there are several
    #[arg(long)]
    color: bool,
    /// Follow log output
    #[arg(short, long)]
    follow: bool,
    /// Output the container names instead of their IDs, if there are several
    #[arg(short, long)]
    names: bool,
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
}

impl LogArgs {
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

/// Shows the logs of these containers; several are told apart by what is before each line.
pub(super) fn show(ctx: &Ctx, names: &[String], args: &LogArgs, details: bool) -> Result<Exit, Error> {
    let logs = names.iter().map(|name| engine::log(&ctx.engine, name, args.follow)).collect::<Result<Vec<_>, _>>()?;
    let select = args.select(ctx.engine.clock())?;
    let style = Style { timestamps: args.timestamps, details, prefix: String::new() };
    if let [log] = &logs[..] {
        log.read(&select, &mut Screen::new(style))?;
        return Ok(Exit::SUCCESS);
    }
    let sinks = logs.iter().enumerate().map(|(index, log)| {
        let name = if args.names { log.name() } else { log.id().short() };
        Screen::new(Style { prefix: prefix(name, args.color.then_some(index)), ..style.clone() })
    });
    let sinks: Vec<Screen> = sinks.collect();
    if !args.follow {
        for (log, mut screen) in logs.iter().zip(sinks) {
            log.read(&select, &mut screen)?;
        }
        return Ok(Exit::SUCCESS);
    }
    follow_all(logs, sinks, select)
}

/// Follows several logs at once, each in a thread, since each waits for its own writer. The first failure ends all.
fn follow_all(logs: Vec<Log>, sinks: Vec<Screen>, select: Select) -> Result<Exit, Error> {
    let (done, ends) = mpsc::channel();
    let turn = Arc::default();
    for (log, screen) in logs.into_iter().zip(sinks) {
        let (done, mut lines) = (done.clone(), Together::new(screen, Arc::clone(&turn)));
        std::thread::spawn(move || {
            let read = log.read(&select, &mut lines).and_then(|()| lines.finish().map_err(logs::Error::Sink));
            // The receiver has ended if another one has failed.
            drop(done.send(read));
        });
    }
    drop(done);
    ends.iter().try_for_each(|end| end)?;
    Ok(Exit::SUCCESS)
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
            let args = LogArgs { follow, since, until, ..LogArgs::default() };
            let select = args.select(clock).expect("times");
            let [since, until] = [select.since, select.until].map(|time| time.map(|time| time.to_string()));
            assert_eq!((since.as_deref(), until.as_deref()), expected, "{args:?}");
        }
        let args = LogArgs { follow: true, until: Some("soon".to_owned()), ..LogArgs::default() };
        assert!(args.select(clock).is_err());
    }
}
