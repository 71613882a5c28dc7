//! `rc top`.

use super::{Ctx, processes};
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};

/// Display the running processes of a container
///
/// rc reads them from the host; it executes nothing in the container.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Name, ID or unique prefix of an ID, and the columns, such as user, pid, hpid or args, or options of ps
    #[arg(value_name = "CONTAINER", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (container, words) = match args.words.split_first() {
        _ if args.latest => (latest(ctx)?, &args.words[..]),
        Some((container, words)) => (container.clone(), words),
        None => return Err(Error::new("no container was named")),
    };
    processes::show(ctx, &[container], words)
}

fn latest(ctx: &Ctx) -> Result<String, Error> {
    let selection = Selection { latest: true, ..Selection::default() };
    Ok(engine::named(&ctx.engine, &selection)?.into_iter().next().unwrap_or_default())
}
