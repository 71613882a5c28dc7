//! `rc volume mount`.

use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine;
use crate::error::{Error, Exit};

/// Print the directory of one or more volumes, for use within `rc unshare`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volumes' names
    #[arg(required = true, value_name = "VOLUME")]
    names: Vec<String>,
}

/// Runs the command. Nothing needs to be mounted: a volume is a directory of the store, or one of the user's.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    for name in &args.names {
        let path = engine::volume_directory(&ctx.engine, name).map(|path| path.display().to_string());
        if screen.result(path).is_break() {
            break;
        }
    }
    screen.exit()
}
