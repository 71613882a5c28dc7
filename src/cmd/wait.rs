//! `rc wait`.

use super::Ctx;
use crate::container;
use crate::error::{Error, Exit};
use crate::ui;

/// Block until one or more containers stop, then print their exit codes
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A container that does not exist is no error: its exit code is -1
    #[arg(short, long)]
    ignore: bool,
    /// Names, ids or unique beginnings of ids
    #[arg(value_name = "CONTAINER", required = true)]
    containers: Vec<String>,
}

/// Runs the command.
pub fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut out = ui::out();
    let store = ctx.store_to_read()?;
    for word in &args.containers {
        let code = match container::find(&store, word) {
            Err(container::Error::NotFound(_)) if args.ignore => -1,
            found => container::wait(&found?)?,
        };
        out.line(code)?;
        out.finish()?;
    }
    Ok(Exit::SUCCESS)
}
