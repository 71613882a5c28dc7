//! `rc logout`.

use std::path::PathBuf;

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::registry::Forgotten;
use crate::ui;

/// Log out of a registry
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove the credentials of all registries from the authentication file
    #[arg(short, long, conflicts_with = "server")]
    all: bool,
    /// Path of the authentication file (default: that of podman)
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Path of an authentication file of docker's, instead of podman's
    #[arg(long, value_name = "FILE", conflicts_with = "authfile")]
    compat_auth_file: Option<PathBuf>,
    /// The registry: HOST[:PORT] (default: the first that short names are searched in, docker.io)
    #[arg(value_name = "REGISTRY")]
    server: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let authfile = args.compat_auth_file.as_deref().or(args.authfile.as_deref());
    let mut out = ui::out();
    if args.all {
        engine::logout_all(&ctx.engine, authfile)?;
        out.line("Removed login credentials for all registries")?;
        out.finish()?;
        return Ok(Exit::SUCCESS);
    }
    let server = engine::server(&ctx.engine, args.server.as_deref())?;
    match engine::logout(&ctx.engine, &server, authfile)? {
        Forgotten::Removed => out.line(format_args!("Removed login credentials for {server}"))?,
        Forgotten::OnlyDockers => out.line(format_args!(
            "Not logged into {server} with current tool. Existing credentials were established via docker login. \
             Please use docker logout instead."
        ))?,
        Forgotten::Nothing => return Err(Error::new(format!("not logged in to `{server}`"))),
    }
    out.finish()?;
    Ok(Exit::SUCCESS)
}
