//! `rc mount`.

use crate::cmd::{Ctx, mounting};
use crate::engine::MountKind;
use crate::error::{Error, Exit};

/// Mount the files of one or more containers within `rc unshare`, and print where
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print what is mounted as JSON
    #[arg(long, value_name = "FORMAT", value_parser = ["json"], hide_possible_values = true)]
    format: Option<String>,
    /// Do not truncate the output (accepted for compatibility: rc prints whole IDs here)
    #[arg(long, visible_alias = "notruncate")]
    no_trunc: bool,
    /// Names or IDs; without one, what is mounted is listed
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    mounting::mount(ctx, MountKind::Container, &args.names, args.format.as_deref())
}
