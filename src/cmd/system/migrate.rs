//! `rc system migrate`.

use crate::cmd::Ctx;
use crate::error::{Error, Exit};
use crate::ui;

/// Migrate containers to this version, for which there is nothing to do
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The runtime for all containers (accepted for compatibility: rc starts containers itself)
    #[arg(long, value_name = "NAME")]
    new_runtime: Option<String>,
}

/// Runs the command.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(crate) fn run(_ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if let Some(name) = &args.new_runtime {
        ui::note(format_args!("nothing to do for `{name}`: rc starts containers itself"));
    }
    ui::note("nothing to do: rc reads the containers of all earlier versions as they are");
    Ok(Exit::SUCCESS)
}
