//! `rc network connect`.

use crate::cmd::Ctx;
use crate::cmd::args::AddressArgs;
use crate::engine;
use crate::error::{Error, Exit};
use crate::plan::ConnectRequest;

/// Connect a container to a network, at once if it runs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Add a name by which other containers of the network find the container
    #[arg(long = "alias", value_name = "NAME")]
    aliases: Vec<String>,
    #[command(flatten)]
    addresses: AddressArgs,
    /// Find a container of the network by another name, in this container alone: CONTAINER[:ALIAS]
    #[arg(long, value_name = "CONTAINER")]
    link: Vec<String>,
    /// The network's name or ID
    #[arg(value_name = "NETWORK")]
    network: String,
    /// The container's name or ID
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Runs the command. It prints nothing.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let Args { aliases, addresses: AddressArgs { ip, ip6, mac_address }, link, network, container } = args;
    let request = ConnectRequest { ip, ip6, mac_address, aliases, links: link };
    engine::connect_network(&ctx.engine, &network, &container, &request)?;
    Ok(Exit::SUCCESS)
}
