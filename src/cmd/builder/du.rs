//! `rc builder du`.

use super::{blocks, row};
use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::Report;
use crate::ui::{self, Table};
use crate::view::filter::CacheFilter;
use crate::view::human::exact_size;
use crate::view::{CACHE_COLUMNS, CacheRow};

/// Show what builds have kept for later builds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show only what matches: KEY=VALUE
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Change the output format to JSON or a Go template
    #[arg(long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Do not truncate the output
    #[arg(long)]
    no_trunc: bool,
    /// Show all that is known of each
    #[arg(long, conflicts_with = "format")]
    verbose: bool,
}

/// Runs the command: what was used last comes first.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let filter = CacheFilter::parse(&args.filters, ctx.engine.clock()).map_err(Report::from)?;
    let all = engine::build_cache(&ctx.engine)?;
    let rows = all.iter().map(|cached| row(ctx, cached, args.no_trunc));
    let rows: Vec<CacheRow> = rows.filter(|row| filter.matches(&row.facts())).collect();
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        Some(format) => format.list(&mut out, &rows, false)?,
        None => {
            if args.verbose {
                blocks(&rows).into_iter().try_for_each(|line| out.line(line))?;
            } else {
                let mut table = Table::new(&CACHE_COLUMNS);
                rows.iter().for_each(|row| table.row(row.cells()));
                out.raw(table.render().as_bytes())?;
            }
            let sum = |is_counted: fn(&&CacheRow) -> bool| rows.iter().filter(is_counted).map(|row| row.size).sum();
            out.line(format_args!("Reclaimable: {}", exact_size(sum(|row| !row.is_in_use))))?;
            out.line(format_args!("Total:       {}", exact_size(sum(|_| true))))?;
        }
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
