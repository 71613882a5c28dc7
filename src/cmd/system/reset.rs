//! `rc system reset`.

use crate::cmd::Ctx;
use crate::cmd::ask::confirm;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Remove the store: all containers, images and volumes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let Some(store) = engine::store_to_reset(&ctx.engine)? else {
        ui::note("nothing to do: there is no store");
        return Ok(Exit::SUCCESS);
    };
    let mut warning = vec!["WARNING! This will remove:".to_owned()];
    for what in ["all containers", "all images", "all volumes"] {
        warning.push(format!("\t- {what}"));
    }
    warning.push(format!("\t- the store: {}", ui::escape::line(&store.display().to_string())));
    if !args.force && !confirm(&warning)? {
        return Ok(Exit::SUCCESS);
    }
    for path in engine::reset(&ctx.engine)? {
        ui::warning(format!("`{}` is not rc's, and stays", path.display()));
    }
    Ok(Exit::SUCCESS)
}
