//! `rc network prune`.

use crate::cmd::Ctx;
use crate::cmd::args::PruneArgs;
use crate::cmd::ask::confirm;
use crate::cmd::observer::Screen;
use crate::engine::{self, RemoveNetworks};
use crate::error::{Error, Exit};

/// Remove all networks that no container uses
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    shared: PruneArgs,
}

/// Runs the command: prints the names of removed networks.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let names = engine::unused_networks(&ctx.engine, &args.shared.filters)?;
    let warning = "WARNING! This will remove all networks not used by at least one container:";
    let warning: Vec<String> = std::iter::once(warning.to_owned()).chain(names.iter().cloned()).collect();
    if names.is_empty() || !args.shared.force && !confirm(&warning)? {
        return Ok(Exit::SUCCESS);
    }
    let mut screen = Screen::default();
    // A container that uses one of them by now keeps it.
    let request = RemoveNetworks { names, only_unused: true, ..RemoveNetworks::default() };
    engine::remove_networks(&ctx.engine, &request, &mut screen)?;
    screen.exit()
}
