//! `rc exec`.

use super::args::{PreserveArgs, ProcessArgs};
use super::outcome::exit_of;
use super::{Ctx, containers, environment};
use crate::container::{self, Exec, Outcome};
use crate::error::{Error, Exit};
use crate::plan;
use crate::types::DetachKeys;

/// Run a process in a running container
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc exec [OPTIONS] CONTAINER COMMAND [ARG...]")]
pub(crate) struct Args {
    #[command(flatten)]
    preserve: PreserveArgs,
    #[command(flatten)]
    process: ProcessArgs,
    /// The container, and the command with its arguments
    #[arg(value_name = "CONTAINER", hide = true, required = true, num_args = 1.., trailing_var_arg = true)]
    words: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut words = args.words.into_iter();
    let name = words.next().unwrap_or_default();
    let container = containers::one(ctx, &name)?;
    let request = args.process.into_exec_request(words.collect())?;
    let process = plan::exec(&container.config, &request, &environment())?;
    let keys = request.detach_keys.as_deref().unwrap_or(&container.config.detach_keys).parse::<DetachKeys>()?;
    let descriptors = ctx.manager.take().descriptors;
    let exec =
        Exec { process, interactive: request.interactive, detach: request.detach, detach_keys: keys, descriptors };
    match container::exec(&container, exec)? {
        Outcome::Detached => Ok(Exit::SUCCESS),
        outcome => exit_of(outcome),
    }
}
