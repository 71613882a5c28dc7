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
pub(crate) fn run(ctx: &Ctx, args: &Args, definition: fn() -> Command) -> Result<Exit, Error> {
    let name = ctx.dialect.program();
    let script = match args.shell {
        Shell::Bash => named(include_str!("../../config/completion.bash"), name),
        Shell::Zsh => named(include_str!("../../config/completion.zsh"), name),
        Shell::Fish => named(include_str!("../../config/completion.fish"), name),
        // Of commands and options only: these shells have no script of ours.
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut definition(), name, &mut script);
            script
        }
    };
    let mut out = ui::out();
    out.raw(&script)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}

/// A script for the program `name`.
fn named(script: &str, name: &str) -> Vec<u8> {
    script.replace("@NAME@", name).into_bytes()
}
