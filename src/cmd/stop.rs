//! `rc stop`.

use super::Ctx;
use super::containers::{Selection, each};
use crate::container;
use crate::error::{Error, Exit};
use crate::monitor::Status;
use crate::types::Signal;

/// Stop one or more containers
///
/// Sends the stop signal, and SIGKILL after the timeout.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Act only on containers that match: KEY=VALUE
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Signal to send (default: the container's own)
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<Signal>,
    /// Seconds to wait before SIGKILL (default: the container's own); 0 kills at once
    #[arg(short, long, value_name = "SECONDS", visible_alias = "timeout")]
    time: Option<u32>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, mut args: Args) -> Result<Exit, Error> {
    let store = ctx.engine.store_to_read()?;
    args.selection.filters = args.filters;
    args.selection.latest = args.latest;
    let is_of_many = args.selection.is_of_many();
    each(&store, &args.selection, |container| {
        if is_of_many && !container.is_running() {
            return Ok(false);
        }
        // It cannot see the signal; with --all it was not meant. Source: podman, `StopWithTimeout`.
        if container.status == Status::Paused {
            let name = container.config.name.to_string();
            let refused = container::Error::State { action: "stop", name, status: container.status };
            return if is_of_many { Ok(false) } else { Err(refused.into()) };
        }
        // A container that does not run is stopped already.
        let was_running = container::stop(container, args.signal, args.time)?.is_some();
        Ok(was_running || !is_of_many)
    })
}
