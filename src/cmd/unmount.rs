//! `rc unmount`.

use crate::cmd::Ctx;
use crate::cmd::mounting::{self, UnmountArgs};
use crate::engine::MountKind;
use crate::error::{Error, Exit};

/// Unmount the files of one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    unmount: UnmountArgs,
    /// Names or IDs
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    mounting::unmount(ctx, MountKind::Container, &args.unmount, &args.names)
}
