//! `rc unmount`.

use crate::cmd::Ctx;
use crate::cmd::args::LatestArgs;
use crate::cmd::mounting::{self, UnmountArgs};
use crate::engine::MountKind;
use crate::error::{Error, Exit};

/// Unmount the files of one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    latest: LatestArgs,
    #[command(flatten)]
    unmount: UnmountArgs,
    /// Names or IDs
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let latest = args.latest.latest.then(|| args.latest.or(&ctx.engine, args.names.first().cloned())).transpose()?;
    let names = latest.map_or_else(|| args.names.clone(), |latest| vec![latest]);
    mounting::unmount(ctx, MountKind::Container, &args.unmount, &names)
}
