//! `rc container prune`.

use crate::cmd::Ctx;
use crate::cmd::args::PruneArgs;
use crate::engine::Prune;
use crate::error::{Error, Exit};

/// Remove all containers that do not run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    shared: PruneArgs,
}

/// Runs the command: it prints the IDs of the containers that it has removed.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let request = Prune { containers: true, filters: args.shared.filters, ..Prune::default() };
    let warning = ["WARNING! This will remove all non running containers.".to_owned()];
    super::run(ctx, &request, (!args.shared.force).then_some(&warning), |pruned| pruned.containers.clone())
}
