//! `rc network ls`.

use crate::cmd::Ctx;
use crate::engine::{self, ListedNetwork};
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::ui::{self, Format, Table};
use crate::view::{DOCKER_NETWORK_COLUMNS, NETWORK_COLUMNS, NetworkRow};

/// List networks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Filter output based on conditions provided: KEY=VALUE
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Do not truncate IDs
    #[arg(long)]
    no_trunc: bool,
    /// Do not print column headings
    #[arg(short, long)]
    noheading: bool,
    /// Display only network names
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (found, damaged) = engine::networks(&ctx.engine, &args.filter)?;
    let is_docker = ctx.dialect == Dialect::Docker;
    let rows: Vec<NetworkRow<'_>> = found
        .iter()
        .map(|ListedNetwork { record, members, .. }| NetworkRow { record, members, no_trunc: args.no_trunc })
        .collect();
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        // --quiet prevails over a template, as in podman.
        Some(format) if !args.quiet || matches!(format, Format::Json | Format::JsonLines) => {
            format.list(&mut out, &rows, args.noheading)?
        }
        // docker prints IDs.
        _ if args.quiet && is_docker => rows.iter().try_for_each(|row| out.line(row.id()))?,
        _ if args.quiet => rows.iter().try_for_each(|row| out.line(&row.record.name))?,
        _ => {
            let columns: &[&str] = if is_docker { &DOCKER_NETWORK_COLUMNS } else { &NETWORK_COLUMNS };
            let mut table = if args.noheading { Table::without_headings() } else { Table::new(columns) };
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
