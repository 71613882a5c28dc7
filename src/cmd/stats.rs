//! `rc stats`.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use super::Ctx;
use crate::container::{Container, Sample};
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::ContainerId;
use crate::ui::{self, Format, Output, Table};
use crate::view::{STATS_COLUMNS, StatsRow};

/// Clears a terminal and moves to its first line. Source: ECMA-48, ED and CUP.
const CLEAR: &[u8] = b"\x1b[2J\x1b[1;1H";

/// Display a live stream of container resource usage statistics
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all containers (default: only running ones)
    #[arg(short, long)]
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

/// Runs the command: until it is interrupted, or once with `--no-stream`.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.all && !args.containers.is_empty() {
        return Err(Error::new("containers cannot be named together with --all"));
    }
    let format = ctx.format(args.format.as_deref());
    let clears = !args.no_stream && !args.no_reset && ui::is_screen(ui::Stream::Out);
    let mut before = BTreeMap::new();
    let mut out = ui::out();
    loop {
        let now = engine::usage(&ctx.engine, &args.containers, args.all)?;
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
        return Ok(format.list(out, &rows, false)?);
    }
    let mut table = Table::new(&STATS_COLUMNS);
    rows.iter().for_each(|row| table.row(row.cells()));
    Ok(out.raw(table.render().as_bytes())?)
}
