//! `rc run`.

use super::Ctx;
use super::args::{ContainerArgs, PreserveArgs};
use super::observer::Screen;
use super::outcome::exit_of;
use crate::engine::{self, Started};
use crate::error::{Error, Exit};
use crate::ui;

/// Run a command in a new container
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc run [OPTIONS] IMAGE [COMMAND [ARG...]]")]
pub(crate) struct Args {
    /// Proxy received signals to the process (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: Option<bool>,
    #[command(flatten)]
    preserve: PreserveArgs,
    #[command(flatten)]
    container: ContainerArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let ended = start(ctx, args);
    engine::sweep_soon(&ctx.engine);
    ended
}

fn start(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::for_pull(args.container.is_quiet());
    let request = args.container.into_request(&ctx.typed)?;
    let proxy_signals = args.sig_proxy.unwrap_or(true);
    let Started { id, outcome } = engine::run(&ctx.engine, ctx.caller()?, &request, proxy_signals, &mut screen)?;
    if request.detach {
        let mut out = ui::out();
        out.line(id)?;
        out.finish()?;
    }
    exit_of(outcome)
}
