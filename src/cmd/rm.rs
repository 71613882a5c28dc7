//! `rc rm`.

use super::Ctx;
use super::args::{LatestArgs, SelectionArgs, stop_timeout};
use super::observer::Screen;
use crate::container::Removal;
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};

/// Remove one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    latest: LatestArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Remove container and all containers that depend on the selected container
    #[arg(long)]
    depend: bool,
    /// Kill running containers first, and ignore missing ones
    #[arg(short, long)]
    force: bool,
    /// Act only on containers that match: KEY=VALUE
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// With --force, seconds between the stop signal and SIGKILL (default: kill at once; -1: no SIGKILL)
    #[arg(short, long, value_name = "SECONDS", value_parser = stop_timeout, allow_negative_numbers = true)]
    time: Option<u32>,
    /// Remove the anonymous volumes of the container
    #[arg(short, long)]
    volumes: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    if args.time.is_some() && !args.force {
        return Err(Error::new("--time needs --force"));
    }
    let mut screen = Screen::default();
    let mut selection = Selection { filters: args.filters, latest: args.latest.latest, ..args.selection.into() };
    selection.ignore |= args.force;
    let how = Removal { force: args.force, timeout: args.time, volumes: args.volumes };
    engine::remove(&ctx.engine, &selection, &how, args.depend, &mut screen)?;
    screen.exit()
}
