//! `rc network ls`.

use crate::cmd::Ctx;
use crate::cmd::args::ListArgs;
use crate::engine::{self, ListedNetwork};
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::ui::{self, Format};
use crate::view::{DOCKER_NETWORK_COLUMNS, NETWORK_COLUMNS, NetworkRow};

/// List networks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: ListArgs,
    /// Do not truncate IDs
    #[arg(long)]
    no_trunc: bool,
    /// Display only network names
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (found, damaged) = engine::networks(&ctx.engine, &args.list.filter)?;
    let is_docker = ctx.dialect == Dialect::Docker;
    let rows: Vec<NetworkRow<'_>> = found
        .iter()
        .map(|ListedNetwork { record, members, .. }| NetworkRow { record, members, no_trunc: args.no_trunc })
        .collect();
    let mut out = ui::out();
    match ctx.format(args.list.format.as_deref()) {
        // --quiet prevails over a template, as in podman.
        Some(format) if !args.quiet || matches!(format, Format::Json | Format::JsonLines) => {
            format.list(&mut out, &rows, args.list.noheading)?
        }
        // docker prints IDs.
        _ if args.quiet && is_docker => rows.iter().try_for_each(|row| out.line(row.id()))?,
        _ if args.quiet => rows.iter().try_for_each(|row| out.line(&row.record.name))?,
        _ => {
            let columns: &[&str] = if is_docker { &DOCKER_NETWORK_COLUMNS } else { &NETWORK_COLUMNS };
            let mut table = args.list.table(columns);
            rows.iter().for_each(|row| {
                table.row(row.cells().into_iter().chain(is_docker.then_some("local")));
            });
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    damaged.iter().for_each(ui::warning);
    Ok(Exit::SUCCESS)
}
