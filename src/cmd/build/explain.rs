//! `rc build --explain`.

use super::failure::failure;
use crate::build::dockerfile::source::Source;
use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine::{self, BuildRequest, Caller};
use crate::error::{Error, Exit};
use crate::ui::{self, Table, format, json};
use crate::view::{BUILD_STEP_COLUMNS, BuildStep};

/// How steps are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Explain {
    /// A table for people.
    Text,
    /// An object.
    Json,
}

/// Prints which steps are in the cache, and why the others are not.
pub(super) fn run(
    ctx: &Ctx,
    caller: Caller,
    source: &Source,
    request: &BuildRequest,
    how: Explain,
) -> Result<Exit, Error> {
    let explained = engine::explain_build(&ctx.engine, caller, request, &mut Screen::default());
    let swept = engine::sweep(&ctx.engine);
    let explained = match explained {
        Ok(explained) => explained,
        Err(failed) => return failure(ctx, source, request, failed),
    };
    swept?;
    let steps: Vec<BuildStep> = explained
        .into_iter()
        .map(|step| BuildStep {
            stage: step.title.stage,
            number: step.title.number,
            of: step.title.of,
            text: step.title.text,
            reason: step.reason,
            from: step.from,
            took: step.took,
        })
        .collect();
    let mut out = ui::out();
    match how {
        Explain::Text => {
            let mut table = Table::new(&BUILD_STEP_COLUMNS);
            steps.iter().for_each(|step| table.row(step.cells()));
            out.raw(table.render().as_bytes())?;
        }
        Explain::Json => {
            let object = BuildStep::all(&steps);
            out.raw((json::pretty(&object).map_err(format::Error::from)? + "\n").as_bytes())?;
        }
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
