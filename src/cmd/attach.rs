//! `rc attach`.

use super::Ctx;
use super::outcome::exit_of;
use crate::engine;
use crate::error::{Error, Exit};

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
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let how = engine::Attach {
        stdin: !args.no_stdin,
        proxy_signals: args.sig_proxy.unwrap_or(true),
        detach_keys: args.detach_keys,
    };
    exit_of(engine::attach(&ctx.engine, &args.container, &how)?)
}
