//! `rc version`.

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui::{self, Format};
use crate::view::version;

/// Display the rc version information
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change the output format to JSON or a Go template
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let version = version(ctx.dialect, &engine::kernel());
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        Some(format @ (Format::Json | Format::JsonLines)) => format.object(&mut out, &version.json())?,
        Some(template) => template.object(&mut out, &version.for_templates())?,
        None => version.lines().iter().try_for_each(|line| out.line(line))?,
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
