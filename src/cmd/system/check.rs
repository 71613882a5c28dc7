//! `rc system check`.

use std::time::Duration;

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::{ReportKind, parse_duration};
use crate::ui;

/// Check the store for damage
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also remove damaged containers and what is not rc's; implies --repair
    #[arg(short, long)]
    force: bool,
    /// The age up to which blobs and layers may be without an image (default: 24h)
    #[arg(short, long, value_name = "DURATION", value_parser = age)]
    max: Option<Duration>,
    /// Do not read blobs: check only sizes and records
    #[arg(short, long)]
    quick: bool,
    /// Repair damage, and remove images that lack something
    #[arg(short, long)]
    repair: bool,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn age(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is not a duration, such as 30m or 12h"))
}

/// Runs the command: it prints a line for each fault, and nothing if there is none.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let repair = args.repair || args.force;
    let how = engine::Check { quick: args.quick, repair, force: args.force, max_age: args.max.unwrap_or(DAY) };
    let checked = engine::check(&ctx.engine, &how)?;
    let mut out = ui::out();
    for it in &checked {
        out.line(format_args!("{}{}", it.fault.what, if it.is_repaired { " (repaired)" } else { "" }))?;
    }
    out.finish()?;
    for report in checked.iter().filter_map(|it| it.failure.as_ref()) {
        ui::error(report, report.hint.as_deref(), Some(report.kind));
    }
    let left: Vec<_> = checked.iter().filter(|it| !it.is_repaired).collect();
    if left.is_empty() {
        return Ok(Exit::SUCCESS);
    }
    let hint = match (repair, left.iter().any(|it| it.fault.loses)) {
        (false, _) => "repair it: `rc system check --repair`",
        (true, true) if !args.force => "to remove what is damaged for good: `rc system check --force`",
        (true, _) => "end what uses it, and check again",
    };
    ui::error("damage detected in local storage", Some(hint), Some(ReportKind::Damaged));
    Err(Error::said([ReportKind::Damaged]))
}
