//! `rc volume rm`.

use crate::cmd::Ctx;
use crate::cmd::args::stop_timeout;
use crate::cmd::observer::Screen;
use crate::engine::{self, RemoveVolumes};
use crate::error::{Error, Exit};
use crate::types::Dialect;

/// Remove one or more volumes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove all volumes
    #[arg(short, long)]
    all: bool,
    /// Remove the containers that use a volume first, and ignore missing volumes
    #[arg(short, long)]
    force: bool,
    /// With --force, seconds between the stop signal and SIGKILL for these containers (default: 10; -1: no SIGKILL)
    #[arg(short, long, visible_alias = "timeout")]
    #[arg(value_name = "SECONDS", value_parser = stop_timeout, allow_negative_numbers = true)]
    time: Option<u32>,
    /// The volumes' names
    #[arg(value_name = "VOLUME")]
    names: Vec<String>,
}

/// Runs the command: it removes what it can, and reports each failure.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    match (args.all, args.names.is_empty()) {
        (true, false) => return Err(Error::new("volumes cannot be named together with --all")),
        (false, true) => return Err(Error::new("no volume was named").with_hint("name one, or use --all")),
        _ => {}
    }
    if args.time.is_some() && !args.force {
        return Err(Error::new("--time needs --force"));
    }
    let mut screen = Screen::default();
    let Args { names, all, force, time: timeout } = args;
    // Docker's scripts mean by it only that a volume may be missing.
    let with_users = force && ctx.dialect != Dialect::Docker;
    let request = RemoveVolumes { names, all, force, with_users, timeout, only_unused: false };
    engine::remove_volumes(&ctx.engine, &request, &mut screen)?;
    screen.exit()
}
