//! `rc network reload`.

use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};

/// Make the network interfaces of containers anew, with the same addresses
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// All running containers
    #[arg(short, long)]
    all: bool,
    /// The latest created container
    #[arg(short, long)]
    latest: bool,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command: prints the IDs.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let Args { all, latest, containers } = args;
    let selection = Selection { all, latest, names: containers, ..Selection::default() };
    let mut screen = Screen::default();
    engine::reload_networks(&ctx.engine, &selection, &mut screen)?;
    screen.exit()
}
