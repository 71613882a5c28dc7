//! `rc info`.

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Format};

/// Display rc system information
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change the output format to JSON or a Go template
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let info = engine::info(&ctx.engine)?;
    let mut out = ui::out();
    match args.format.as_deref().and_then(Format::parse) {
        Some(Format::Json) => Format::Json.object(&mut out, &info.json())?,
        Some(template) => template.object(&mut out, &info.fields())?,
        None => info.lines().iter().try_for_each(|line| out.line(line))?,
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
