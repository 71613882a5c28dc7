//! `rc update`.

use super::args::{HealthArgs, LatestArgs, LimitArgs};
use super::{Ctx, environment};
use crate::engine::{self, Update};
use crate::error::{Error, Exit};
use crate::ui;

/// Update the limits, the restart policy, the health check and the environment of a container
///
/// Settings that are not named stay as they are. If one change fails, none is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set a variable for what is started in the container from now on: NAME=VALUE, or NAME of a variable of yours
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Unset a variable for what is started in the container from now on
    #[arg(long = "unsetenv", value_name = "NAME")]
    unset_env: Vec<String>,
    #[command(flatten)]
    health: HealthArgs,
    #[command(flatten)]
    latest: LatestArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Restart policy to apply when the container exits: no, always, on-failure[:RETRIES] or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Change a limit of getrlimit(2) for what is started in the container from now on: NAME=SOFT[:HARD]
    #[arg(long, value_name = "LIMIT")]
    ulimit: Vec<String>,
    /// Name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let container = args.latest.or(&ctx.engine, args.container)?;
    let mut health = args.health.into_request();
    health.without_empty_texts();
    let update = Update {
        limits: args.limits.into_request(),
        restart: args.restart,
        health,
        env: args.env,
        unset_env: args.unset_env,
        ulimits: args.ulimit,
    };
    let id = engine::update(&ctx.engine, &container, update, &environment())?;
    let mut out = ui::out();
    out.line(id)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
