//! `rc completion`.

use clap::Command;
use clap_complete::Shell;

use super::Ctx;
use crate::error::{Error, Exit};
use crate::ui;

/// Generate a completion script for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command; `definition` returns the definition of all commands.
pub(crate) fn run(_ctx: &Ctx, args: &Args, definition: fn() -> Command) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "rc", &mut script);
    let mut out = ui::out();
    out.raw(&script)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
