//! `rc builder prune`, `rc container prune`, `rc image prune`, `rc system prune`.

pub(crate) mod builder;
pub(crate) mod container;
pub(crate) mod image;
pub(crate) mod system;

use super::Ctx;
use super::ask::confirm;
use crate::engine::{self, Prune, Pruned};
use crate::error::{Error, Exit};
use crate::ui;

/// Asks unless `force` is set, prunes, and prints what `show` makes of the result; `None` if the user said no.
fn run(
    ctx: &Ctx,
    request: &Prune,
    warning: Option<&[String]>,
    show: impl Fn(&Pruned) -> Vec<String>,
) -> Result<Exit, Error> {
    if let Some(warning) = warning
        && !confirm(warning)?
    {
        return Ok(Exit::SUCCESS);
    }
    let pruned = engine::prune(&ctx.engine, request)?;
    let mut out = ui::out();
    show(&pruned).iter().try_for_each(|line| out.line(line))?;
    out.finish()?;
    for report in &pruned.failures {
        ui::error(report, report.hint.as_deref(), Some(report.kind));
    }
    let kinds = pruned.failures.iter().map(|report| report.kind);
    if pruned.failures.is_empty() { Ok(Exit::SUCCESS) } else { Err(Error::said(kinds)) }
}

fn ids(pruned: &Pruned) -> Vec<String> {
    pruned.images.iter().map(|id| id.hex().to_owned()).collect()
}
