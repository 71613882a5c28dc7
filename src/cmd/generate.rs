//! `rc generate`: files for other programs.

mod environment;
mod retype;
mod systemd;
mod unit;

use clap::Command;

use self::systemd::{Systemd, unit};
use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::sys::fs;
use crate::sys::replacement::replace_named;
use crate::ui;

/// Generate files for other programs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Generate a systemd unit for a container
    Systemd(Systemd),
}

/// Runs the command; `definition` returns the definition of all commands.
pub(crate) fn run(ctx: &Ctx, args: Args, definition: fn() -> Command) -> Result<Exit, Error> {
    let What::Systemd(args) = args.what;
    let container = engine::find(&ctx.engine, &args.container)?;
    let unit = unit(ctx, &args, &container, definition)?;
    let mut out = ui::out();
    if args.files {
        let directory = std::env::current_dir().map_err(|error| fs::PathError::new("find", ".", error))?;
        let path = directory.join(&unit.file);
        replace_named(&path, unit.to_string().as_bytes())?;
        out.line(path.display())?;
    } else {
        out.raw(unit.to_string().as_bytes())?;
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
