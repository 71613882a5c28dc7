//! `rc ps`.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::Ctx;
use super::containers::facts;
use crate::container;
use crate::error::{Error, Exit};
use crate::monitor::Status;
use crate::types::ContainerId;
use crate::ui::{self, Format, Table};
use crate::view::filter::{self, ContainerFacts, ContainerFilter};
use crate::view::{PS_COLUMNS, PsRow};

/// List containers
#[derive(Debug, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Show all containers (default: only running ones)
    #[arg(short, long)]
    all: bool,
    /// Filter output based on conditions given: KEY=VALUE
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Pretty-print containers to JSON or using a Go template
    #[arg(long, value_name = "FORMAT", conflicts_with = "quiet", allow_hyphen_values = true)]
    format: Option<String>,
    /// Print the n last created containers (all states)
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true, default_value_t = -1, hide_default_value = true)]
    last: i64,
    /// Show the latest container created (all states)
    #[arg(short, long, conflicts_with = "last")]
    latest: bool,
    /// Display the extended information
    #[arg(long)]
    no_trunc: bool,
    /// Do not print headers
    #[arg(long)]
    noheading: bool,
    /// Print only the IDs of the containers
    #[arg(short, long)]
    quiet: bool,
    /// Sort by command, created, id, image, names, runningfor or status (default: created)
    #[arg(long, value_name = "KEY", default_value = "created", hide_default_value = true, hide_possible_values = true)]
    sort: SortKey,
}

/// What `--sort` goes by. Source: podman-ps(1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SortKey {
    /// The command line.
    Command,
    /// When it was created, oldest first.
    #[default]
    Created,
    /// The id.
    Id,
    /// The image's name.
    Image,
    /// The name.
    Names,
    /// How long ago it was created, youngest first.
    Runningfor,
    /// The status word.
    Status,
}

/// Runs the command. A container whose records are damaged is a warning, and hides no other.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let listing = container::list(&ctx.engine.store_to_read()?)?;
    let all: Vec<ContainerFacts<'_>> = listing.containers.iter().map(facts).collect();
    let rows = select(args, &all, Timestamp::now())?;
    let mut out = ui::out();
    match args.format.as_deref().and_then(Format::parse) {
        Some(format) => format.list(&mut out, &rows)?,
        None if args.quiet => {
            rows.iter().try_for_each(|row| out.line(row.id()))?;
            // So that `rc rm $(rc ps -aq)` leaves none.
            if args.all && args.filter.is_empty() {
                let shown = |id: &ContainerId| if args.no_trunc { id.to_string() } else { id.short().to_owned() };
                listing.broken.iter().try_for_each(|(id, _)| out.line(shown(id)))?;
            }
        }
        None => {
            let mut table = if args.noheading { Table::without_headings() } else { Table::new(&PS_COLUMNS) };
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    for (_, error) in &listing.broken {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        ui::warning(format!("{error}{hint}"));
    }
    Ok(Exit::SUCCESS)
}

fn select<'a>(args: &Args, all: &[ContainerFacts<'a>], now: Timestamp) -> Result<Vec<PsRow<'a>>, filter::Error> {
    let filter = ContainerFilter::parse(&args.filter, now, |wanted| {
        let found = all.iter().find(|facts| facts.config.name.as_str() == wanted).or_else(|| {
            let mut by_id = all.iter().filter(|facts| facts.config.id.as_str().starts_with(wanted));
            by_id.next().filter(|_| by_id.next().is_none())
        });
        found.and_then(|facts| facts.config.created.parse().ok())
    })?;
    let last = if args.latest { Some(1) } else { usize::try_from(args.last).ok().filter(|last| *last > 0) };
    let stopped_too = args.all || last.is_some() || filter.wants_stopped();
    let mut rows: Vec<PsRow<'a>> = all
        .iter()
        .filter(|facts| stopped_too || is_up(facts.status))
        .filter(|facts| filter.matches(**facts))
        .map(|facts| PsRow {
            config: facts.config,
            state: facts.state,
            status: facts.status,
            now,
            no_trunc: args.no_trunc,
        })
        .collect();
    rows.sort_by(|a, b| compare(SortKey::Created, a, b));
    if let Some(last) = last {
        rows.drain(..rows.len().saturating_sub(last));
    }
    rows.sort_by(|a, b| compare(args.sort, a, b));
    Ok(rows)
}

/// Shown without `-a`. An orphan's program still runs, so it must not be overlooked.
fn is_up(status: Status) -> bool {
    !matches!(status, Status::Created | Status::Exited | Status::Removing)
}

fn compare(key: SortKey, a: &PsRow<'_>, b: &PsRow<'_>) -> Ordering {
    // RFC 3339 in UTC sorts as text, and the id breaks ties, so that two listings never differ in order.
    let age = || (&a.config.created, &a.config.id).cmp(&(&b.config.created, &b.config.id));
    match key {
        SortKey::Created => age(),
        SortKey::Runningfor => age().reverse(),
        SortKey::Command => a.config.argv.cmp(&b.config.argv),
        SortKey::Id => a.config.id.cmp(&b.config.id),
        SortKey::Image => a.config.image.reference.cmp(&b.config.image.reference),
        SortKey::Names => a.config.name.cmp(&b.config.name),
        SortKey::Status => a.status.as_str().cmp(b.status.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::view::sample;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        ps: Args,
    }

    fn names(line: &str) -> Result<String, String> {
        let args = Line::try_parse_from(format!("ps {line}").split_whitespace()).map_err(|e| e.to_string())?.ps;
        let (config, state) = sample();
        let made = |name: &str, minute: u32, status| {
            let mut config = config.clone();
            config.name = name.parse().map_err(|_| "a name")?;
            config.id = format!("{minute:02x}").repeat(32).parse().map_err(|_| "an id")?;
            config.created = format!("2026-01-01T10:{minute:02}:00Z");
            Ok::<_, &str>((config, status))
        };
        let all = [
            made("web", 2, Status::Running)?,
            made("db", 1, Status::Exited)?,
            made("lost", 4, Status::Orphaned)?,
            made("new", 3, Status::Created)?,
        ];
        let facts: Vec<_> =
            all.iter().map(|(config, status)| ContainerFacts { config, state: &state, status: *status }).collect();
        let now = "2026-01-01T12:00:00Z".parse().map_err(|_| "a time")?;
        let rows = select(&args, &facts, now).map_err(|error| error.to_string())?;
        Ok(rows.iter().map(|row| row.config.name.as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn which_containers_are_listed_and_in_which_order() {
        for (line, expected) in [
            ("", "web lost"),
            ("-a", "db web new lost"),
            ("-a --sort names", "db lost new web"),
            ("-a --sort runningfor", "lost new web db"),
            ("-n 2", "new lost"),
            ("--last 3 --sort status", "new lost web"),
            ("-l", "lost"),
            ("-n -1", "web lost"),
            ("-f status=exited", "db"),
            ("--filter status=exited --filter status=created", "db new"),
            ("-a -f name=^/web$", "web"),
            ("-a -f since=web", "new lost"),
            ("-a -f before=0303", "db web"),
        ] {
            assert_eq!(names(line).as_deref(), Ok(expected), "{line}");
        }
        for refused in ["-q --format json", "--sort size", "-s", "-f since=nobody", "-f before=0"] {
            assert!(names(refused).is_err(), "{refused}");
        }
    }
}
