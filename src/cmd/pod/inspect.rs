//! `rc pod inspect`.

use crate::cmd::Ctx;
use crate::cmd::inspection::{Inspection, inspect};
use crate::engine::{self, Kind};
use crate::error::{Error, Exit};

/// Display detailed information on one or more pods
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Act on the latest created pod
    #[arg(short, long)]
    latest: bool,
    /// The pods' names or IDs
    #[arg(value_name = "POD")]
    names: Vec<String>,
}

/// Runs the command: prints all pods that exist in one array, then reports those that do not.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let Args { format, latest, names } = args;
    if *latest && !names.is_empty() {
        return Err(Error::new("pods cannot be named together with --latest"));
    }
    let newest = if *latest { Some(engine::latest_pod(&ctx.engine)?.to_string()) } else { None };
    let names: Vec<String> = newest.into_iter().chain(names.iter().cloned()).collect();
    inspect(ctx, &Inspection { kind: Kind::Pod, names: &names, format: format.as_deref(), ..Inspection::default() })
}
