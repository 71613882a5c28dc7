//! `rc exec`.

use std::path::PathBuf;

use super::args::{LatestArgs, PreserveArgs, ProcessArgs};
use super::outcome::exit_of;
use super::{Ctx, environment};
use crate::console::{self, Console};
use crate::engine;
use crate::error::{Error, Exit};

/// Run a process in a running container
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc exec [OPTIONS] CONTAINER COMMAND [ARG...]")]
pub(crate) struct Args {
    /// Read the container's ID from the file
    #[arg(long, value_name = "FILE")]
    cidfile: Option<PathBuf>,
    #[command(flatten)]
    latest: LatestArgs,
    /// Keep no record of the process (accepted for compatibility: rc keeps none)
    #[arg(long)]
    no_session: bool,
    #[command(flatten)]
    preserve: PreserveArgs,
    /// Give the process extended Linux capabilities: all, over the container
    #[arg(long)]
    privileged: bool,
    #[command(flatten)]
    process: ProcessArgs,
    /// The container, unless an option names it, and the command with its arguments
    #[arg(value_name = "CONTAINER", hide = true, required = true, num_args = 1.., trailing_var_arg = true)]
    words: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut words = args.words.into_iter();
    let name = match &args.cidfile {
        Some(_) if args.latest.latest => return Err(Error::new("--cidfile and --latest cannot be used together")),
        Some(file) => engine::id_in(file)?,
        None if args.latest.latest => args.latest.or(&ctx.engine, None)?,
        None => words.next().unwrap_or_default(),
    };
    let mut request = args.process.into_exec_request(words.collect())?;
    request.privileged = args.privileged;
    if request.interactive && request.tty && !request.detach {
        console::check_input()?;
    }
    let descriptors = ctx.manager.take().descriptors;
    let environment = environment();
    let (stdin, size) = (console::has_input(), console::own_size());
    let front_end = engine::Exec { environment: &environment, stdin, size, descriptors };
    match engine::exec(&ctx.engine, &name, &request, front_end)? {
        Some(session) => exit_of(Console::of(true, Some(false)).join(session)?),
        None => Ok(Exit::SUCCESS),
    }
}
