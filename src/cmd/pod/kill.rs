//! `rc pod kill`.

use crate::cmd::Ctx;
use crate::cmd::args::PodNameArgs;
use crate::cmd::observer::Screen;
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
    let mut screen = Screen::default();
    engine::kill_pods(&ctx.engine, &args.pods.into(), args.signal, &mut screen)?;
    screen.exit()
}
