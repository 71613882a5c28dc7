//! `rc container cleanup`.

use crate::cmd::Ctx;
use crate::cmd::args::PauseArgs;
use crate::cmd::observer::Screen;
use crate::container::Removal;
use crate::engine;
use crate::error::{Error, Exit};

/// Remove what killed processes have left of containers that do not run
///
/// Each command that changes the store does this at its end. A container itself stays, unless --rm is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: PauseArgs,
    /// Remove the containers, too
    #[arg(long)]
    rm: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    let selection = args.selection.into();
    if args.rm {
        let how = Removal { force: false, timeout: None, volumes: false };
        engine::remove(&ctx.engine, &selection, &how, false, &mut screen)?;
    } else {
        engine::clean_up(&ctx.engine, &selection, &mut screen)?;
    }
    screen.exit()
}
