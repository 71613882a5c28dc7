//! `rc network inspect`.

use crate::cmd::Ctx;
use crate::cmd::inspection::{Inspection, inspect};
use crate::engine::Kind;
use crate::error::{Error, Exit};

/// Display detailed information on one or more networks
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Accepted for compatibility with docker: there is no more to show
    #[arg(short, long)]
    verbose: bool,
    /// The networks' names or IDs
    #[arg(value_name = "NETWORK", required = true)]
    names: Vec<String>,
}

/// Runs the command: prints all networks that exist in one array, then reports those that do not.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let Args { format, verbose: _, names } = args;
    inspect(ctx, &Inspection { kind: Kind::Network, names, format: format.as_deref(), ..Inspection::default() })
}
