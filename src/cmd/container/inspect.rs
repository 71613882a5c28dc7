//! `rc container inspect`.

use crate::cmd::Ctx;
use crate::cmd::inspection::{Inspection, inspect};
use crate::engine::Kind;
use crate::error::{Error, Exit};

/// Display the configuration of one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Show the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Show the sizes of the containers
    #[arg(short, long)]
    size: bool,
    /// The names or IDs
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (names, format) = (&args.names[..], args.format.as_deref());
    let (latest, size) = (args.latest, args.size);
    inspect(ctx, &Inspection { kind: Kind::Container, names, latest, format, size, platform: None })
}
