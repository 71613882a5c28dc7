//! `rc image mount`.

use crate::cmd::Ctx;
use crate::cmd::mounting::{self, MountArgs};
use crate::engine::MountKind;
use crate::error::{Error, Exit};

/// Mount the files of one or more images within `rc unshare`, and print where
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    mount: MountArgs,
    /// Names or IDs; without one, what is mounted is listed
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    mounting::mount(ctx, MountKind::Image, &args.mount, &args.names)
}
