//! `rc secret ls`.

use crate::cmd::Ctx;
use crate::cmd::args::ListArgs;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;
use crate::view::{SECRET_COLUMNS, SecretRow};

/// List secrets
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: ListArgs,
    /// Display only secret IDs
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (found, damaged) = engine::secrets(&ctx.engine, &args.list.filter)?;
    let now = ctx.engine.clock().now;
    let rows: Vec<SecretRow<'_>> = found.iter().map(|record| SecretRow { record, now }).collect();
    let mut out = ui::out();
    match ctx.format(args.list.format.as_deref()) {
        Some(format) => format.list(&mut out, &rows, args.list.noheading)?,
        None if args.quiet => rows.iter().try_for_each(|row| out.line(&row.record.id))?,
        None => {
            let mut table = args.list.table(&SECRET_COLUMNS);
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    damaged.iter().for_each(ui::warning);
    Ok(Exit::SUCCESS)
}
