//! `rc buildx inspect`.

use super::platform;
use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Show the builder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start the builder (accepted for compatibility: there is nothing to start)
    #[arg(long)]
    bootstrap: bool,
    /// A name of the builder (default: the one in use)
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let name = engine::builder(&ctx.engine, args.name.as_deref())?;
    let mut out = ui::out();
    for (key, value) in [("Name:", name.as_str()), ("Driver:", "rc")] {
        out.line(format_args!("{key:<10}{value}"))?;
    }
    out.line("")?;
    out.line("Nodes:")?;
    let platform = platform();
    let node = [("Name:", name.as_str()), ("Endpoint:", "default"), ("Status:", "running"), ("Platforms:", &platform)];
    for (key, value) in node {
        out.line(format_args!("{key:<11}{value}"))?;
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
