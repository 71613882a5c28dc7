//! `rc volume inspect`.

use crate::cmd::{Ctx, inspection};
use crate::engine;
use crate::error::{Error, Exit};

/// Display detailed information on one or more volumes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Inspect all volumes
    #[arg(short, long)]
    all: bool,
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// The volumes' names
    #[arg(value_name = "VOLUME")]
    names: Vec<String>,
}

/// Runs the command: prints all volumes that exist in one array, then reports those that do not.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    match (args.all, args.names.is_empty()) {
        (true, false) => return Err(Error::new("volumes cannot be named together with --all")),
        (false, true) => return Err(Error::new("no volume was named").with_hint("name one, or use --all")),
        _ => {}
    }
    let (mut found, mut failures) = if args.all { engine::volumes(&ctx.engine, &[])? } else { <_>::default() };
    for name in &args.names {
        match engine::volume(&ctx.engine, name) {
            Ok(volume) => found.push(volume),
            Err(report) => failures.push(report),
        }
    }
    let objects: Vec<_> = found.iter().map(|listed| super::row(listed).object()).collect();
    inspection::print(ctx, args.format.as_deref(), &objects, failures)
}
