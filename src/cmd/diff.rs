//! `rc diff`.

use super::{Ctx, difference};
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};
use crate::ui;

/// Show what a container has changed in the files of its image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change the output format: json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Its name, ID or unique prefix of an ID; or an image, if no container has that name
    #[arg(value_name = "CONTAINER")]
    container: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let as_json = difference::is_json(args.format.as_deref())?;
    let names = args.container.into_iter().collect();
    let selection = Selection { names, latest: args.latest, ..Selection::default() };
    let mut out = ui::out();
    for name in engine::named(&ctx.engine, &selection)? {
        difference::show(&mut out, &engine::changes_of_any(&ctx.engine, &name)?, as_json)?;
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
