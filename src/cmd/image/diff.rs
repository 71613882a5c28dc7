//! `rc image diff`.

use crate::cmd::{Ctx, difference};
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Show what the last layer of an image has changed in the files below it
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change the output format: json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Its name or ID
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let as_json = difference::is_json(args.format.as_deref())?;
    let changes = engine::image_changes(&ctx.engine, &args.image)?;
    let mut out = ui::out();
    difference::show(&mut out, &changes, as_json)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
