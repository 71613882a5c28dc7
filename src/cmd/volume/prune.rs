//! `rc volume prune`.

use crate::cmd::Ctx;
use crate::cmd::args::PruneArgs;
use crate::cmd::ask::confirm;
use crate::cmd::observer::Screen;
use crate::engine::{self, RemoveVolumes};
use crate::error::{Error, Exit};
use crate::types::Dialect;
use crate::ui;

/// Remove all volumes that no container uses
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also volumes with a name, which only docker spares otherwise
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
    let mut filters = args.shared.filters.clone();
    // As docker's: a volume that has a name stays.
    let is_spared =
        ctx.dialect == Dialect::Docker && !args.all && !filters.iter().any(|filter| filter.starts_with("all="));
    filters.extend(is_spared.then(|| "all=false".to_owned()));
    let names = engine::unused_volumes(&ctx.engine, &filters)?;
    if args.dry_run {
        let mut out = ui::out();
        names.iter().try_for_each(|name| out.line(name))?;
        out.finish()?;
        return Ok(Exit::SUCCESS);
    }
    let which = if is_spared { "all anonymous" } else { "all" };
    let warning =
        format!("WARNING! This will remove {which} volumes not used by at least one container, with all their data:");
    let warning: Vec<String> = std::iter::once(warning).chain(names.iter().cloned()).collect();
    if names.is_empty() || !args.shared.force && !confirm(&warning)? {
        return Ok(Exit::SUCCESS);
    }
    let mut screen = Screen::default();
    // A container that uses one of them by now keeps it.
    let request = RemoveVolumes { names, only_unused: true, ..RemoveVolumes::default() };
    engine::remove_volumes(&ctx.engine, &request, &mut screen)?;
    screen.exit()
}
