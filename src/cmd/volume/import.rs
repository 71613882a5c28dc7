//! `rc volume import`.

use std::fs::File;

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::sys::fs::{self, AtPath as _};
use crate::ui;

/// Import the contents of a tar archive into a volume
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volume's name
    #[arg(value_name = "VOLUME")]
    name: String,
    /// The archive, plain or compressed, or `-` for standard input
    #[arg(value_name = "SOURCE", default_value = "-")]
    source: String,
}

/// Runs the command. The volume keeps its other files.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    // Opens the file before rc enters the user's namespace: only a group of the user may be able to read it.
    let archive = match args.source.as_str() {
        "-" => {
            if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
                let error = Error::new("standard input is a terminal");
                return Err(error.with_hint("name an archive, or pipe one into rc"));
            }
            File::from(rustix::stdio::stdin().try_clone_to_owned().at("read", "standard input")?)
        }
        path => fs::open(path)?,
    };
    let skipped = engine::import_volume(&ctx.engine, &args.name, archive)?;
    if skipped > 0 {
        ui::warning(format_args!("{skipped} device files were skipped: only root can create them"));
    }
    Ok(Exit::SUCCESS)
}
