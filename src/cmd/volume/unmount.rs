//! `rc volume unmount`.

use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine;
use crate::error::{Error, Exit};

/// Undo `rc volume mount`: print the names (nothing is mounted)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volumes' names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    for name in &args.names {
        let found = engine::volume(&ctx.engine, name).map(|listed| listed.volume.record.name);
        if screen.result(found).is_break() {
            break;
        }
    }
    screen.exit()
}
