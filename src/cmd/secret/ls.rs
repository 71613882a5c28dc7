//! `rc secret ls`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Table};
use crate::view::{SECRET_COLUMNS, SecretRow};

/// List secrets
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
    /// Display only secret IDs
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (found, damaged) = engine::secrets(&ctx.engine, &args.filter)?;
    let now = ctx.engine.clock().now;
    let rows: Vec<SecretRow<'_>> = found.iter().map(|record| SecretRow { record, now }).collect();
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        Some(format) => format.list(&mut out, &rows, args.noheading)?,
        None if args.quiet => rows.iter().try_for_each(|row| out.line(&row.record.id))?,
        None => {
            let mut table = if args.noheading { Table::without_headings() } else { Table::new(&SECRET_COLUMNS) };
            rows.iter().for_each(|row| table.row(row.cells()));
            out.raw(table.render().as_bytes())?;
        }
    }
    out.finish()?;
    damaged.iter().for_each(ui::warning);
    Ok(Exit::SUCCESS)
}
