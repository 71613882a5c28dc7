//! `rc volume ls`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Format, Table};
use crate::view::{VOLUME_COLUMNS, VolumeRow};

/// List volumes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Filter output based on conditions provided: KEY=VALUE
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Do not print column headings
    #[arg(short, long)]
    noheading: bool,
    /// Display only volume names
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (found, damaged) = engine::volumes(&ctx.engine, &args.filter)?;
    let rows: Vec<VolumeRow<'_>> = found.iter().map(super::row).collect();
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        // --quiet prevails over a template, as in podman.
        Some(format) if !args.quiet || matches!(format, Format::Json | Format::JsonLines) => {
            format.list(&mut out, &rows, args.noheading)?
        }
        _ if args.quiet => rows.iter().try_for_each(|row| out.line(&row.record.name))?,
        _ => {
            let mut table = if args.noheading { Table::without_headings() } else { Table::new(&VOLUME_COLUMNS) };
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    damaged.iter().for_each(ui::warning);
    Ok(Exit::SUCCESS)
}
