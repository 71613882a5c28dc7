//! `rc pod kill`.

use super::act;
use crate::cmd::Ctx;
use crate::cmd::args::PodNameArgs;
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::Signal;

/// Kill the containers of one or more pods with a signal
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pods: PodNameArgs,
    /// Signal to send
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: Signal,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    act(ctx, args.pods, |context, pods, observer| engine::kill_pods(context, pods, args.signal, observer))
}
