//! `rc buildx rm`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Take names of the builder away; the cache stays
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Take all names away
    #[arg(long)]
    all_inactive: bool,
    /// Do not ask (accepted for compatibility: rc does not)
    #[arg(short, long)]
    force: bool,
    /// Keep the daemon (accepted for compatibility: there is none)
    #[arg(long)]
    keep_daemon: bool,
    /// Keep the cache (accepted for compatibility: it always stays)
    #[arg(long)]
    keep_state: bool,
    /// The names (default: the one in use)
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (all, in_use) = engine::builders(&ctx.engine)?;
    let names = match (args.all_inactive, args.names.is_empty()) {
        (true, false) => return Err(Error::new("builders cannot be named together with --all-inactive")),
        (true, true) => all.into_iter().skip(1).collect(),
        (false, true) => vec![in_use],
        (false, false) => args.names.clone(),
    };
    for name in &names {
        engine::remove_builder(&ctx.engine, name)?;
        ui::note(format_args!("{name} removed"));
    }
    Ok(Exit::SUCCESS)
}
