//! `rc unshare`.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::sys::fs::plain;
use crate::types::{Report, ReportKind};

/// Run a command in the user namespace of the containers
///
/// There you can read, change and remove the files that containers made under other IDs.
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc unshare [OPTIONS] [COMMAND [ARG...]]")]
pub(crate) struct Args {
    /// Be in a network with a name, too: its containers can be reached (default: podman)
    #[arg(long, value_name = "NETWORK", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    rootless_netns: Option<String>,
    /// The command with its arguments (default: the user's shell)
    #[arg(value_name = "COMMAND", hide = true, num_args = 0.., trailing_var_arg = true)]
    words: Vec<String>,
}

/// Runs the command: it replaces this process.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    match args.rootless_netns.as_deref() {
        None | Some("false") => engine::enter_namespace(&ctx.engine)?,
        // podman has one for all networks.
        Some("true") => engine::enter_network(&ctx.engine, "podman")?,
        Some(network) => engine::enter_network(&ctx.engine, network)?,
    }
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut words = args.words.iter();
    let program = words.next().map_or(shell, Into::into);
    let error = Command::new(&program).args(words).exec();
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ReportKind::ProgramNotFound,
        _ => ReportKind::ProgramNotExecutable,
    };
    Err(Report::new(kind, format!("cannot run `{}`: {}", program.display(), plain(&error))).into())
}
