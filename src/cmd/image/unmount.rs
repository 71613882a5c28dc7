//! `rc image unmount`.

use crate::cmd::{Ctx, mounting};
use crate::engine::MountKind;
use crate::error::{Error, Exit};

/// Unmount the files of one or more images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Unmount all
    #[arg(short, long)]
    all: bool,
    /// What is not mounted is no error
    #[arg(short, long)]
    force: bool,
    /// Names or IDs
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    mounting::unmount(ctx, MountKind::Image, &args.names, args.all, args.force)
}
