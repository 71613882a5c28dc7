//! `rc volume prune`.

use crate::cmd::Ctx;
use crate::cmd::args::PruneArgs;
use crate::cmd::ask::confirm;
use crate::cmd::observer::Screen;
use crate::engine::{self, RemoveVolumes};
use crate::error::{Error, Exit};
use crate::ui;

/// Remove all volumes that no container uses
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also volumes with a name (accepted for compatibility: they are always removed, as by podman)
    #[arg(short, long)]
    all: bool,
    /// Print the names of the volumes, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    shared: PruneArgs,
}

/// Runs the command: prints the names of removed volumes.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let names = engine::unused_volumes(&ctx.engine, &args.shared.filters)?;
    if args.dry_run {
        let mut out = ui::out();
        names.iter().try_for_each(|name| out.line(name))?;
        out.finish()?;
        return Ok(Exit::SUCCESS);
    }
    let warning = "WARNING! This will remove all volumes not used by at least one container, with all their data:";
    let warning: Vec<String> = std::iter::once(warning.to_owned()).chain(names.iter().cloned()).collect();
    if names.is_empty() || !args.shared.force && !confirm(&warning)? {
        return Ok(Exit::SUCCESS);
    }
    let mut screen = Screen::default();
    // A container that uses one of them by now keeps it.
    let request = RemoveVolumes { names, only_unused: true, ..RemoveVolumes::default() };
    engine::remove_volumes(&ctx.engine, &request, &mut screen)?;
    screen.exit()
}
