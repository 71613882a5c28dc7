//! `rc info`.

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Format};

/// Display rc system information
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As without it (accepted for compatibility: scripts for podman give it)
    #[arg(short = 'D', long, hide = true)]
    debug: bool,
    /// Change the output format to JSON or a Go template
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let info = engine::info(&ctx.engine)?;
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        Some(format @ (Format::Json | Format::JsonLines)) => format.object(&mut out, &info.json(ctx.dialect))?,
        Some(template) => template.object(&mut out, &info.fields(ctx.dialect))?,
        None => info.lines(ctx.dialect).iter().try_for_each(|line| out.line(line))?,
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
