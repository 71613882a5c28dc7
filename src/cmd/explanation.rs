//! What `run` and `create` print with `--explain`.

use super::Ctx;
use super::args::Explain;
use super::observer::Screen;
use crate::engine::{self, Explanation};
use crate::error::{Error, Exit};
use crate::plan::Request;
use crate::ui::{self, format, json};
use crate::view::Explained;

/// Prints what a request would do, and does nothing of it.
pub(super) fn explain(ctx: &Ctx, request: &Request, how: Explain) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    let found = engine::explain(&ctx.engine, ctx.caller()?, request, &mut screen)?;
    let Explanation { config, spec, portable, owners, storage, layers } = &found;
    let shown = Explained { config, spec, owners, storage: *storage, layers: *layers };
    let mut out = ui::out();
    match how {
        Explain::Text => shown.lines().iter().try_for_each(|line| out.line(line))?,
        Explain::Json => out.raw((json::pretty(&shown.object()).map_err(format::Error::from)? + "\n").as_bytes())?,
        Explain::Spec => out.raw((json::pretty(portable).map_err(format::Error::from)? + "\n").as_bytes())?,
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
