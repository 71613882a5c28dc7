//! `rc manifest exists`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::ReportKind;

/// Check whether a list of images exists
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The list's name or ID
    #[arg(value_name = "LIST")]
    list: String,
}

/// Runs the command: the exit code is the answer.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    match engine::find_list(&ctx.engine, &args.list) {
        Ok(_) => Ok(Exit::SUCCESS),
        Err(report) if matches!(report.kind, ReportKind::NotFound(_)) => Ok(Exit(1)),
        Err(report) => Err(report.into()),
    }
}
