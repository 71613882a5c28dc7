//! `rc pod stats`.

use std::time::Duration;

use crate::cmd::Ctx;
use crate::cmd::sampling::{StreamArgs, watch};
use crate::engine::{self, PodSelection};
use crate::error::{Error, Exit};
use crate::ui::Table;
use crate::view::{POD_STATS_COLUMNS, PodStatsRow, StatsRow};

/// The time between two reports. Source: podman, `pod stats`.
const INTERVAL: Duration = Duration::from_secs(1);

/// Display a live stream of what the containers of pods use
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show all pods (default, if none is named)
    #[arg(short, long)]
    all: bool,
    /// Pretty-print statistics to JSON or using a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Act on the latest created pod
    #[arg(short, long)]
    latest: bool,
    #[command(flatten)]
    stream: StreamArgs,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "POD")]
    pods: Vec<String>,
}

/// Runs the command: until it is interrupted, or once with `--no-stream`.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let all = args.all || args.pods.is_empty() && !args.latest;
    let pods = PodSelection { names: args.pods.clone(), all, latest: args.latest, ..PodSelection::default() };
    let format = ctx.format(args.format.as_deref());
    let sample = || {
        let members = engine::pod_members(&ctx.engine, &pods)?;
        engine::usage_of(members.into_iter().filter(|member| member.is_running()).collect())
    };
    watch(&args.stream, INTERVAL, sample, |out, now, before| {
        let rows: Vec<PodStatsRow<'_>> = now
            .iter()
            .map(|(container, used)| {
                let before = before.get(&container.config.id);
                PodStatsRow(StatsRow { config: &container.config, now: used.as_ref(), before, no_trunc: false })
            })
            .collect();
        if let Some(format) = &format {
            return Ok(format.list(out, &rows, false)?);
        }
        let mut table = Table::new(&POD_STATS_COLUMNS);
        rows.iter().for_each(|row| table.row(row.cells()));
        if rows.is_empty() {
            table.row(PodStatsRow::EMPTY);
        }
        Ok(out.raw(table.render().as_bytes())?)
    })
}
