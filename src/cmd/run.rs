//! `rc run`.

use super::Ctx;
use super::args::RunArgs;
use super::observer::Screen;
use super::outcome::exit_of;
use crate::engine::{self, Started};
use crate::error::{Error, Exit};
use crate::ui;

/// Run a command in a new container
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc run [OPTIONS] IMAGE [COMMAND [ARG...]]")]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let ended = start(ctx, args);
    engine::sweep_soon(&ctx.engine);
    ended
}

fn start(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::for_pull(args.run.is_quiet());
    let request = args.run.into_request(&ctx.typed)?;
    let Started { id, outcome } = engine::run(&ctx.engine, ctx.caller()?, &request, &mut screen)?;
    if request.detach {
        let mut out = ui::out();
        out.line(id)?;
        out.finish()?;
    }
    exit_of(outcome)
}
