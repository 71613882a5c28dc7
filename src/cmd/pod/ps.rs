//! `rc pod ps`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Table};
use crate::view::{POD_COLUMNS, PodRow};

/// List pods
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Do not truncate IDs
    #[arg(long)]
    no_trunc: bool,
    /// Do not print column headings
    #[arg(short, long)]
    noheading: bool,
    /// Display only pod IDs
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let pods = engine::pods(&ctx.engine)?;
    let now = ctx.engine.clock().now;
    let rows: Vec<PodRow<'_>> = pods.iter().map(|pod| PodRow { pod, now, no_trunc: args.no_trunc }).collect();
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        Some(format) => format.list(&mut out, &rows, args.noheading)?,
        None if args.quiet => rows.iter().try_for_each(|row| out.line(row.id()))?,
        None => {
            let mut table = if args.noheading { Table::without_headings() } else { Table::new(&POD_COLUMNS) };
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
