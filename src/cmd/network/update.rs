//! `rc network update`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::ui;

/// Change the DNS servers of a network, also for its running containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Add DNS servers; several are separated by commas
    #[arg(long, value_name = "IP")]
    dns_add: Vec<String>,
    /// Remove DNS servers
    #[arg(long, value_name = "IP")]
    dns_drop: Vec<String>,
    /// The network's name or ID
    #[arg(value_name = "NETWORK")]
    name: String,
}

/// Runs the command: prints the name.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    if args.dns_add.is_empty() && args.dns_drop.is_empty() {
        return Err(Error::new("there is nothing to change").with_hint("use --dns-add or --dns-drop"));
    }
    let name = engine::update_network(&ctx.engine, &args.name, &args.dns_add, &args.dns_drop)?;
    let mut out = ui::out();
    out.line(&name)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
