//! `rc wait`.

use std::sync::mpsc;
use std::time::Duration;

use super::Ctx;
use super::observer::Screen;
use crate::container::{Condition, Waiting};
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};
use crate::monitor::{HealthStatus, Status};
use crate::types::{Report, parse_duration};

/// Block until one or more containers stop, then print their exit codes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Wait for this state: a status such as running or exited (or stopped), healthy or unhealthy
    #[arg(long = "condition", value_name = "STATE", value_delimiter = ',', value_parser = condition)]
    conditions: Vec<Condition>,
    /// Return when the first of the containers has that state
    #[arg(long)]
    exit_first_match: bool,
    /// Ignore missing containers, and print -1 for them
    #[arg(long)]
    ignore: bool,
    /// Time between two checks of a state whose change is not announced (default: 250ms)
    #[arg(short, long, value_name = "DURATION", value_parser = interval)]
    #[arg(default_value = "250ms", hide_default_value = true)]
    interval: Duration,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// What `--ignore` prints for a missing container.
const NO_CONTAINER: i32 = -1;

/// `starting` is the container's status, not its health.
fn condition(text: &str) -> Result<Condition, String> {
    let status = Status::of_word(text).map(Condition::Status);
    let condition = status.or_else(|| HealthStatus::of_word(text).map(Condition::Health));
    condition.ok_or_else(|| format!("must be one of {}, healthy, unhealthy", Status::WORDS))
}

/// Parses a duration of Go, or a number of milliseconds.
fn interval(text: &str) -> Result<Duration, String> {
    let milliseconds = text.parse().ok().map(Duration::from_millis);
    let written = || parse_duration(text);
    milliseconds
        .or_else(written)
        .filter(|time| !time.is_zero())
        .ok_or_else(|| "must be a number with a unit, such as 2s or 500ms, or a number of milliseconds".to_owned())
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let selection = Selection { names: args.containers, latest: args.latest, ..Selection::default() };
    let names = engine::named(&ctx.engine, &selection)?;
    let begin = |name: &String| engine::wait(&ctx.engine, name, &args.conditions, args.interval, args.ignore);
    // All of them are found before the first is awaited: one that removes itself may end earlier.
    let begun: Vec<_> = names.iter().map(begin).collect();
    let mut screen = Screen::default();
    if args.exit_first_match {
        for result in first(begun) {
            if screen.result(result).is_break() {
                break;
            }
        }
    } else {
        for waiting in begun {
            if screen.result(code_of(waiting)).is_break() {
                break;
            }
        }
    }
    screen.exit()
}

fn code_of(waiting: Result<Option<Waiting>, Report>) -> Result<i32, Report> {
    waiting?.map_or(Ok(NO_CONTAINER), |waiting| Ok(waiting.finish()?))
}

/// The result of the first wait that ends, and the failures before it. Each is waited for in a thread, which ends with
/// this process.
fn first(begun: Vec<Result<Option<Waiting>, Report>>) -> Vec<Result<i32, Report>> {
    let (done, ends) = mpsc::channel();
    for waiting in begun {
        let done = done.clone();
        std::thread::spawn(move || drop(done.send(code_of(waiting))));
    }
    drop(done);
    let mut results = Vec::new();
    for result in &ends {
        results.push(result);
        if results.last().is_some_and(Result::is_ok) {
            break;
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit_or_are_milliseconds() {
        for (text, millis) in [("250ms", 250), ("2s", 2000), ("1m0.5s", 60500), ("40", 40)] {
            assert_eq!(interval(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "0", "-1s", "2 s", "soon", "0ms"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn conditions_are_states() {
        assert_eq!(condition("stopped"), Ok(Condition::Status(Status::Exited)));
        assert_eq!(condition("starting"), Ok(Condition::Status(Status::Starting)));
        assert_eq!(condition("healthy"), Ok(Condition::Health(HealthStatus::Healthy)));
        assert!(condition("gone").is_err());
    }
}
