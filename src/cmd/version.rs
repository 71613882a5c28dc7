//! `rc version`.

use super::Ctx;
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
pub(crate) fn run(_: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut out = ui::out();
    match args.format.as_deref().and_then(Format::parse) {
        Some(Format::Json) => Format::Json.object(&mut out, &version())?,
        Some(template) => template.object(&mut out, &version().for_templates())?,
        None => version().lines().iter().try_for_each(|line| out.line(line))?,
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
