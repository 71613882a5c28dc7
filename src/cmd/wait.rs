//! `rc wait`.

use super::Ctx;
use super::containers;
use crate::container;
use crate::error::{Error, Exit};
use crate::ui;

/// Block until one or more containers stop, then print their exit codes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Names, ids or unique beginnings of ids
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

/// Runs the command.
pub fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut out = ui::out();
    for word in &args.containers {
        let code = container::wait(&containers::one(ctx, word)?)?;
        out.line(code)?;
        out.finish()?;
    }
    Ok(Exit::SUCCESS)
}
