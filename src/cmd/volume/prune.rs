//! `rc volume prune`.

use std::io::BufRead as _;

use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine::{self, RemoveVolumes};
use crate::error::{Error, Exit};
use crate::ui::{self, BrokenOutput};

/// Remove all volumes that no container uses
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also volumes with a name (accepted for compatibility: they are always removed, as by podman)
    #[arg(short, long)]
    all: bool,
    /// Remove only volumes that match: KEY=VALUE
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
}

/// Runs the command: prints the names of removed volumes.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let names = engine::unused_volumes(&ctx.engine, &args.filters)?;
    if names.is_empty() || !args.force && !is_confirmed(&names)? {
        return Ok(Exit::SUCCESS);
    }
    let mut screen = Screen::default();
    // A container that uses one of them by now keeps it.
    let request = RemoveVolumes { names, ..RemoveVolumes::default() };
    engine::remove_volumes(&ctx.engine, &request, &mut screen)?;
    screen.exit()
}

/// Asks whether these volumes may be removed; no answer is no.
fn is_confirmed(names: &[String]) -> Result<bool, BrokenOutput> {
    let mut out = ui::out();
    out.line("WARNING! This will remove all volumes not used by at least one container, with all their data:")?;
    names.iter().try_for_each(|name| out.line(name))?;
    out.raw(b"Are you sure you want to continue? [y/N] ")?;
    out.finish()?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
