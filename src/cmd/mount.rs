//! `rc mount`.

use crate::cmd::Ctx;
use crate::cmd::args::LatestArgs;
use crate::cmd::mounting::{self, MountArgs};
use crate::engine::MountKind;
use crate::error::{Error, Exit};

/// Mount the files of one or more containers within `rc unshare`, and print where
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    latest: LatestArgs,
    #[command(flatten)]
    mount: MountArgs,
    /// Names or IDs; without one, what is mounted is listed
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let latest = args.latest.latest.then(|| args.latest.or(&ctx.engine, args.names.first().cloned())).transpose()?;
    let names = latest.map_or_else(|| args.names.clone(), |latest| vec![latest]);
    mounting::mount(ctx, MountKind::Container, &args.mount, &names)
}
