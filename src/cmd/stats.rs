//! `rc stats`.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

use super::Ctx;
use super::args::LatestArgs;
use super::sampling::{StreamArgs, watch};
use crate::container::{Container, Sample};
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};
use crate::types::ContainerId;
use crate::ui::{Format, Output, Table};
use crate::view::{STATS_COLUMNS, StatsRow};

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
    #[command(flatten)]
    latest: LatestArgs,
    #[command(flatten)]
    stream: StreamArgs,
    /// Do not truncate output
    #[arg(long)]
    no_trunc: bool,
    /// Names, IDs or unique prefixes of IDs (default: all running containers)
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command: until it is interrupted, or once with `--no-stream`.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.all && (args.latest.latest || !args.containers.is_empty()) {
        return Err(Error::new("containers cannot be named together with --all"));
    }
    let latest = Selection { names: args.containers.clone(), latest: true, ..Selection::default() };
    let names = if args.latest.latest { engine::named(&ctx.engine, &latest)? } else { args.containers.clone() };
    let format = ctx.format(args.format.as_deref());
    let interval = Duration::from_secs(args.interval.get());
    let sample = || engine::usage(&ctx.engine, &names, args.all);
    watch(&args.stream, interval, sample, |out, now, before| show(out, args, format.as_ref(), now, before))
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
