//! `rc pod clone`.

use crate::cmd::Ctx;
use crate::cmd::args::PodOptionArgs;
use crate::cmd::observer::Screen;
use crate::engine::{self, ClonePod};
use crate::error::{Error, Exit};
use crate::ui;

/// Create a copy of a pod and of its containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove the original, even if it runs
    #[arg(long)]
    destroy: bool,
    /// Set the hostname (default: the pod's name, if the original has its own)
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    #[command(flatten)]
    options: PodOptionArgs,
    /// Start the copy with its containers
    #[arg(long)]
    start: bool,
    /// Name or ID of the original
    #[arg(value_name = "POD")]
    pod: String,
    /// The copy's name (default: that of the original with -clone)
    #[arg(value_name = "NAME", conflicts_with = "name")]
    typed_name: Option<String>,
}

/// Runs the command: prints the ID of the copy.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut request = args.options.into_request(ctx.typed.clone())?;
    request.container.name = request.container.name.or(args.typed_name);
    request.container.hostname = args.hostname;
    let wanted = ClonePod { original: args.pod, request, destroy: args.destroy, start: args.start };
    let mut screen = Screen::default();
    let id = engine::clone_pod(&ctx.engine, ctx.caller()?, &wanted, &mut screen)?;
    let mut out = ui::out();
    out.line(id)?;
    out.finish()?;
    engine::sweep_soon(&ctx.engine);
    screen.exit()
}
