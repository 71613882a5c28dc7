//! `rc attach`.

use super::Ctx;
use super::args::LatestArgs;
use super::outcome::exit_of;
use crate::console::{self, Console};
use crate::engine;
use crate::error::{Error, Exit};

/// Attach to a running container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Override the key sequence for detaching: `ctrl-X` or characters, separated by commas
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    #[command(flatten)]
    latest: LatestArgs,
    /// Do not attach standard input
    #[arg(long)]
    no_stdin: bool,
    /// Proxy received signals to the process (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    sig_proxy: Option<bool>,
    /// Name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let container = args.latest.or(&ctx.engine, args.container)?;
    let how = engine::Attach {
        stdin: !args.no_stdin && console::has_input(),
        size: console::own_size(),
        detach_keys: args.detach_keys,
    };
    let session = engine::attach(&ctx.engine, &container, &how)?;
    if session.terminal.is_some() && session.stdin.is_some() {
        console::check_input()?;
    }
    exit_of(Console::of(true, args.sig_proxy).join(session)?)
}
