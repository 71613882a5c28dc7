//! `rc logs`.

use super::Ctx;
use super::logging::{self, LogArgs};
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};

/// Fetch the logs of one or more containers
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    shown: LogArgs,
    /// Show extra details provided to logs (accepted for compatibility: rc has none)
    #[arg(long)]
    details: bool,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let selection = Selection { names: args.containers.clone(), latest: args.latest, ..Selection::default() };
    let names = engine::named(&ctx.engine, &selection)?;
    logging::show(ctx, &names, &args.shown, args.details)
}
