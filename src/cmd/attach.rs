//! `rc attach`.

use super::outcome::exit_of;
use super::{Ctx, containers};
use crate::container;
use crate::error::{Error, Exit};
use crate::types::DetachKeys;

/// Attach to a running container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Override the key sequence for detaching: `ctrl-X` or characters, separated by commas
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Do not attach standard input
    #[arg(long)]
    no_stdin: bool,
    /// Proxy received signals to the process (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: Option<bool>,
    /// Name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let container = containers::one(ctx, &args.container)?;
    let keys = args.detach_keys.as_deref().unwrap_or(&container.config.detach_keys).parse::<DetachKeys>()?;
    let stdin = !args.no_stdin && container.config.open_stdin;
    let outcome = container::attach(&container, stdin, args.sig_proxy.unwrap_or(true), &keys)?;
    exit_of(outcome)
}
