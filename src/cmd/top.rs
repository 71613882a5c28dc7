//! `rc top`.

use super::args::LatestArgs;
use super::{Ctx, processes};
use crate::error::{Error, Exit};

/// Display the running processes of a container
///
/// rc reads them from the host; it executes nothing in the container.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    latest: LatestArgs,
    /// Name, ID or unique prefix of an ID, and the columns, such as user, pid, hpid or args, or options of ps
    #[arg(value_name = "CONTAINER", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (container, words) = match args.words.split_first() {
        _ if args.latest.latest => (args.latest.or(&ctx.engine, None)?, &args.words[..]),
        Some((container, words)) => (container.clone(), words),
        None => return Err(Error::new("no container was named")),
    };
    processes::show(ctx, &[container], words)
}
