//! `rc pod prune`.

use crate::cmd::Ctx;
use crate::cmd::ask::confirm;
use crate::cmd::observer::Screen;
use crate::engine::{self, Observer as _};
use crate::error::{Error, Exit};
use crate::ui;

/// Remove all pods that have ended, with their containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
}

/// Runs the command: prints the IDs of the pods that are removed.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let warning = ["WARNING! This will remove all stopped/exited pods..".to_owned()];
    if !args.force && !confirm(&warning)? {
        return Ok(Exit::SUCCESS);
    }
    let (removed, failures) = engine::prune_pods(&ctx.engine)?;
    let mut out = ui::out();
    removed.iter().try_for_each(|id| out.line(id))?;
    out.finish()?;
    let mut screen = Screen::default();
    failures.into_iter().for_each(|report| screen.failed(report));
    screen.exit()
}
