//! `rc network rm`.

use crate::cmd::Ctx;
use crate::cmd::args::stop_timeout;
use crate::cmd::observer::Screen;
use crate::engine::{self, RemoveNetworks};
use crate::error::{Error, Exit};
use crate::types::Dialect;

/// Remove one or more networks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove the containers that use a network first, and ignore missing networks
    #[arg(short, long)]
    force: bool,
    /// With --force, seconds between the stop signal and SIGKILL for these containers (default: 10; -1: no SIGKILL)
    #[arg(short, long, value_name = "SECONDS", value_parser = stop_timeout, allow_negative_numbers = true)]
    time: Option<u32>,
    /// The networks' names or IDs
    #[arg(required = true, value_name = "NETWORK")]
    names: Vec<String>,
}

/// Runs the command: it removes what it can, and reports each failure.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    if args.time.is_some() && !args.force {
        return Err(Error::new("--time needs --force"));
    }
    let mut screen = Screen::default();
    // Docker's scripts mean by it only that a network may be missing.
    let with_users = args.force && ctx.dialect != Dialect::Docker;
    let request =
        RemoveNetworks { names: args.names, force: args.force, with_users, timeout: args.time, only_unused: false };
    engine::remove_networks(&ctx.engine, &request, &mut screen)?;
    screen.exit()
}
