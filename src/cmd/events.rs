//! `rc events`.

use std::ops::ControlFlow;

use super::Ctx;
use crate::engine::{self, EventRequest};
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::ui::{self, Format, Output};
use crate::view::{EventRow, docker_action};

/// Show what happens to containers, images, volumes, networks and secrets
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Filter output based on conditions given: KEY=VALUE
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Format the output as JSON lines or using a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Do not wait for new events
    #[arg(long)]
    no_stream: bool,
    /// Do not truncate IDs (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_trunc: Option<bool>,
    /// Show all events created since TIMESTAMP
    #[arg(long, value_name = "TIMESTAMP", allow_hyphen_values = true)]
    since: Option<String>,
    /// Wait for new events, until interrupted or TIMESTAMP is reached (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    stream: Option<bool>,
    /// Show all events created until TIMESTAMP
    #[arg(long, value_name = "TIMESTAMP", allow_hyphen_values = true)]
    until: Option<String>,
}

/// Runs the command. A reader gets each event at once.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let is_docker = ctx.dialect == Dialect::Docker;
    let follow = args.stream.unwrap_or(true) && !args.no_stream;
    let request = EventRequest {
        filters: args.filter.clone(),
        since: args.since.clone(),
        until: args.until.clone(),
        follow,
        is_ahead: follow && !is_docker,
    };
    let format = ctx.format(args.format.as_deref());
    let zone = (ctx.engine.clock().zone)();
    let mut out = ui::out();
    let broken = engine::events(&ctx.engine, &request, |events| {
        let shown = events.iter().filter(|event| !is_docker || docker_action(event).is_some());
        let rows = shown.map(|event| EventRow { event, zone: zone.clone(), no_trunc: args.no_trunc.unwrap_or(true) });
        match show(&mut out, rows, format.as_ref(), is_docker) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    })?;
    broken.map_or(Ok(Exit::SUCCESS), Err)
}

fn show<'a>(
    out: &mut Output,
    rows: impl Iterator<Item = EventRow<'a>>,
    format: Option<&Format>,
    is_docker: bool,
) -> Result<(), Error> {
    for row in rows {
        match format {
            Some(format) => format.row(out, &row)?,
            None if is_docker => out.line(row.docker_line().unwrap_or_default())?,
            None => out.line(row.line())?,
        }
    }
    Ok(out.finish()?)
}
