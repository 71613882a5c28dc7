//! `rc buildx inspect`.

use super::{NAME, platform};
use crate::cmd::Ctx;
use crate::error::{Error, Exit};
use crate::ui;

/// Show the builder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Start the builder (accepted for compatibility: there is nothing to start)
    #[arg(long)]
    bootstrap: bool,
    /// The builder: default
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs the command.
pub(crate) fn run(_ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if let Some(name) = args.name.as_deref().filter(|name| *name != NAME) {
        let error = Error::new(format!("no such builder: `{}`", name.escape_debug()));
        return Err(error.with_hint(format!("rc has one builder, `{NAME}`")));
    }
    let mut out = ui::out();
    for (key, value) in [("Name:", NAME), ("Driver:", "rc")] {
        out.line(format_args!("{key:<10}{value}"))?;
    }
    out.line("")?;
    out.line("Nodes:")?;
    for (key, value) in [("Name:", NAME), ("Endpoint:", NAME), ("Status:", "running"), ("Platforms:", &platform())] {
        out.line(format_args!("{key:<11}{value}"))?;
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
