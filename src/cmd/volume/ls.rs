//! `rc volume ls`.

use crate::cmd::Ctx;
use crate::cmd::args::ListArgs;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Format};
use crate::view::{VOLUME_COLUMNS, VolumeRow};

/// List volumes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: ListArgs,
    /// Display only volume names
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (found, damaged) = engine::volumes(&ctx.engine, &args.list.filter)?;
    let rows: Vec<VolumeRow<'_>> = found.iter().map(super::row).collect();
    let mut out = ui::out();
    match ctx.format(args.list.format.as_deref()) {
        // --quiet prevails over a template, as in podman.
        Some(format) if !args.quiet || matches!(format, Format::Json | Format::JsonLines) => {
            format.list(&mut out, &rows, args.list.noheading)?
        }
        _ if args.quiet => rows.iter().try_for_each(|row| out.line(&row.record.name))?,
        _ => {
            let mut table = args.list.table(&VOLUME_COLUMNS);
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    damaged.iter().for_each(ui::warning);
    Ok(Exit::SUCCESS)
}
