//! `rc update`.

use super::Ctx;
use super::args::{LimitArgs, block_device};
use super::containers::one;
use crate::container;
use crate::error::{Error, Exit};
use crate::plan::LimitChanges;
use crate::ui;

/// Update the limits of a container
///
/// Limits that are not named stay as they are. All of them are changed, or none.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    limits: LimitArgs,
    /// Name, id or unique beginning of an id
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Runs the command.
pub fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let changes = LimitChanges::read(&args.limits.into_request(), &block_device)?;
    let container = one(ctx, &args.container)?;
    if !changes.is_empty() {
        container::update(&container, &changes)?;
    }
    let mut out = ui::out();
    out.line(container.config.id.as_str())?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
