//! `rc create`.

use super::Ctx;
use super::args::ContainerArgs;
use super::explanation::explain;
use super::observer::Screen;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Create but do not start a container
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc create [OPTIONS] IMAGE [COMMAND [ARG...]]")]
pub(crate) struct Args {
    /// Run it at each start of its pod, before the other containers (always), or at the next one only (once)
    #[arg(long, value_name = "WHEN")]
    init_ctr: Option<String>,
    #[command(flatten)]
    container: ContainerArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::for_pull(args.container.is_quiet());
    let how = args.container.explain();
    let mut request = args.container.into_request(&ctx.typed)?;
    // Nothing reads its output now; `start -a` may later.
    request.detach = true;
    request.init_ctr = args.init_ctr;
    if let Some(how) = how {
        return explain(ctx, &request, how);
    }
    let id = engine::create(&ctx.engine, ctx.caller()?, &request, &mut screen)?;
    let mut out = ui::out();
    out.line(id)?;
    out.finish()?;
    engine::sweep_soon(&ctx.engine);
    Ok(Exit::SUCCESS)
}
