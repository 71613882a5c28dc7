//! `rc secret rm`.

use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine;
use crate::error::{Error, Exit};

/// Remove one or more secrets
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove all secrets
    #[arg(short, long)]
    all: bool,
    /// Ignore missing secrets
    #[arg(short, long)]
    ignore: bool,
    /// Names or IDs
    #[arg(value_name = "SECRET")]
    names: Vec<String>,
}

/// Runs the command: it removes what it can, and reports each failure.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    match (args.all, args.names.is_empty()) {
        (true, false) => return Err(Error::new("secrets cannot be named together with --all")),
        (false, true) => return Err(Error::new("no secret was named").with_hint("name one, or use --all")),
        _ => {}
    }
    let mut screen = Screen::default();
    engine::remove_secrets(&ctx.engine, &args.names, args.all, args.ignore, &mut screen)?;
    screen.exit()
}
