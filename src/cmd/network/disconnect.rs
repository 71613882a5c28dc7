//! `rc network disconnect`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Disconnect a container from a network, at once if it runs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not fail if the container is not in the network, or does not exist
    #[arg(short, long)]
    force: bool,
    /// The network's name or ID
    #[arg(value_name = "NETWORK")]
    network: String,
    /// The container's name or ID
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Runs the command. It prints nothing.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    engine::disconnect_network(&ctx.engine, &args.network, &args.container, args.force)?;
    Ok(Exit::SUCCESS)
}
