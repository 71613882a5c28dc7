//! `rc stats`.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use super::Ctx;
use crate::container::{self, Container, Sample, sample};
use crate::error::{Error, Exit};
use crate::monitor::Status;
use crate::storage::Store;
use crate::types::ContainerId;
use crate::ui::{self, Format, Output, Table};
use crate::view::{STATS_COLUMNS, StatsRow};

/// Clears a terminal and goes to its first line. Source: ECMA-48, ED and CUP.
const CLEAR: &[u8] = b"\x1b[2J\x1b[1;1H";

/// Display a live stream of container resource usage statistics
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all containers (default: only running ones)
    #[arg(short, long, conflicts_with = "containers")]
    all: bool,
    /// Pretty-print container statistics to JSON or using a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Seconds between two reports (default: 5)
    #[arg(short, long, value_name = "SECONDS", default_value = "5", hide_default_value = true)]
    interval: NonZeroU64,
    /// Do not clear the screen between reports
    #[arg(long)]
    no_reset: bool,
    /// Print the first result and exit
    #[arg(long)]
    no_stream: bool,
    /// Do not truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Names, IDs or unique prefixes of IDs (default: all running containers)
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command: until it is interrupted, unless it is told to look once.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let store = ctx.engine.store_to_read()?;
    let format = args.format.as_deref().and_then(Format::parse);
    let clears = !args.no_stream && !args.no_reset && ui::is_terminal(ui::Stream::Out);
    let mut before = BTreeMap::new();
    let mut out = ui::out();
    loop {
        let now = look(&store, args)?;
        if clears {
            out.raw(CLEAR)?;
        }
        show(&mut out, args, format.as_ref(), &now, &before)?;
        out.finish()?;
        if args.no_stream {
            return Ok(Exit::SUCCESS);
        }
        before = now.into_iter().filter_map(|(container, sample)| Some((container.config.id, sample?))).collect();
        std::thread::sleep(Duration::from_secs(args.interval.get()));
    }
}

/// The containers that are meant, and what those that run use.
fn look(store: &Store, args: &Args) -> Result<Vec<(Container, Option<Sample>)>, Error> {
    let containers = if args.containers.is_empty() {
        let all = container::list(store)?.containers;
        all.into_iter().filter(|container| args.all || is_up(container.status)).collect()
    } else {
        args.containers.iter().map(|word| container::find(store, word)).collect::<Result<Vec<_>, _>>()?
    };
    let mut seen = Vec::with_capacity(containers.len());
    for container in containers {
        let used = match sample(&container) {
            Ok(used) => Some(used),
            // It does not run, or has ended since.
            Err(container::Error::State { .. }) => None,
            Err(_) if Container::read(container.directory.clone()).is_ok_and(|now| !is_up(now.status)) => None,
            Err(error) => return Err(error.into()),
        };
        seen.push((container, used));
    }
    Ok(seen)
}

fn is_up(status: Status) -> bool {
    matches!(status, Status::Running | Status::Paused | Status::Stopping | Status::Orphaned)
}

fn show(
    out: &mut Output,
    args: &Args,
    format: Option<&Format>,
    now: &[(Container, Option<Sample>)],
    before: &BTreeMap<ContainerId, Sample>,
) -> Result<(), Error> {
    let rows: Vec<StatsRow<'_>> = now
        .iter()
        .map(|(container, used)| StatsRow {
            config: &container.config,
            now: used.as_ref(),
            before: before.get(&container.config.id),
            no_trunc: args.no_trunc,
        })
        .collect();
    if let Some(format) = format {
        return Ok(format.list(out, &rows)?);
    }
    let mut table = Table::new(&STATS_COLUMNS);
    rows.iter().for_each(|row| table.row(row.cells()));
    Ok(out.raw(table.render().as_bytes())?)
}
