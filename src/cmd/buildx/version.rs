//! `rc buildx version`.

use crate::cmd::Ctx;
use crate::error::{Error, Exit};
use crate::ui;

/// Show the version of the builder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command: a name, and a version that tools look for.
pub(crate) fn run(_ctx: &Ctx, _args: &Args) -> Result<Exit, Error> {
    let mut out = ui::out();
    out.line(concat!("rc/buildx v", env!("CARGO_PKG_VERSION")))?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
