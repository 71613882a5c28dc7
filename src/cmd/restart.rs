//! `rc restart`.

use std::path::PathBuf;

use super::Ctx;
use super::containers::{Selection, each};
use super::outcome::exit_of;
use crate::container::{self, Attach, Container, Outcome};
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::Signal;

/// Restart one or more containers
///
/// Stops and starts running containers, and starts the others.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Restart all containers, running or not
    #[arg(short, long)]
    all: bool,
    /// Read the container ID from the file
    #[arg(long = "cidfile", value_name = "FILE")]
    cidfiles: Vec<PathBuf>,
    /// Act only on containers that match: KEY=VALUE
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Restart only running containers
    #[arg(long)]
    running: bool,
    /// Signal to send (default: the container's own)
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<Signal>,
    /// Seconds to wait before SIGKILL (default: the container's own); 0 kills at once
    #[arg(short, long, value_name = "SECONDS", visible_alias = "timeout")]
    time: Option<u32>,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let environment = ctx.engine.environment(ctx.manager.take())?;
    let store = environment.store.clone();
    let named = !args.containers.is_empty() || !args.cidfiles.is_empty() || args.latest;
    let selection = Selection {
        // With --running alone all those that run are meant.
        all: args.all || args.running && !named,
        cidfiles: args.cidfiles,
        containers: args.containers,
        filters: args.filters,
        latest: args.latest,
        ..Selection::default()
    };
    let mut outcome = Outcome::Detached;
    let exit = each(&store, &selection, |container| {
        if args.running && !container.is_running() {
            return Ok(false);
        }
        if container.is_running() {
            if container.config.auto_remove {
                let name = &container.config.name;
                return Err(Error::new(format!("cannot restart `{name}`: it is removed when it stops (--rm)")));
            }
            container::stop(container, args.signal, args.time)?;
        }
        outcome = engine::start(&environment, Container::read(container.directory.clone())?, &Attach::No)?;
        Ok(true)
    });
    engine::sweep_soon(&ctx.engine);
    let exit = exit?;
    // As the main process of a unit this command ends as the program did.
    if exit == Exit::SUCCESS { exit_of(outcome) } else { Ok(exit) }
}
