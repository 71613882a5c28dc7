//! `rc healthcheck run`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Run the health check of a container
///
/// Prints the container's health if the check fails.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Exit with code 0 regardless of the healthcheck result
    #[arg(long)]
    ignore_result: bool,
    /// Name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (passed, health) = engine::check_health(&ctx.engine, &args.container)?;
    if passed {
        return Ok(Exit::SUCCESS);
    }
    let mut out = ui::out();
    out.line(health.as_str())?;
    out.finish()?;
    Ok(if args.ignore_result { Exit::SUCCESS } else { Exit(1) })
}
