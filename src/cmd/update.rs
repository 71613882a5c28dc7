//! `rc update`.

use super::Ctx;
use super::args::{HealthArgs, LimitArgs};
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Update the limits, the restart policy and the health check of a container
///
/// Settings that are not named stay as they are. If one change fails, none is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    health: HealthArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Restart policy to apply when the container exits: no, always, on-failure[:RETRIES] or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let limits = args.limits.into_request();
    let mut health = args.health.into_request();
    health.without_empty_texts();
    let id = engine::update(&ctx.engine, &args.container, &limits, args.restart.as_deref(), health)?;
    let mut out = ui::out();
    out.line(id)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
