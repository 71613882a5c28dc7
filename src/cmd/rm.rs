//! `rc rm`.

use super::Ctx;
use super::containers::{Selection, each_even_damaged};
use crate::container::{self, Container, Removal};
use crate::engine;
use crate::error::{Error, Exit};

/// Remove one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Kill running containers first, and ignore missing ones
    #[arg(short, long)]
    force: bool,
    /// Act only on containers that match: KEY=VALUE
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// With --force, seconds between the stop signal and SIGKILL (default: kill at once)
    #[arg(short, long, value_name = "SECONDS")]
    time: Option<u32>,
    /// Remove the anonymous volumes of the container
    #[arg(short, long)]
    volumes: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let store = ctx.engine.store()?;
    let runtime = ctx.engine.runtime_dir()?;
    let mut selection = args.selection;
    selection.ignore |= args.force;
    selection.filters = args.filters;
    let removal = Removal { force: args.force, timeout: args.time, volumes: args.volumes };
    let whole = |container: &Container| {
        container::remove(store, container, &removal, &runtime)?;
        Ok(true)
    };
    let done = each_even_damaged(store, &selection, whole, |id, _| {
        container::remove_damaged(store, id, &removal, &runtime)?;
        Ok(true)
    });
    engine::sweep_all(&ctx.engine)?;
    done
}
