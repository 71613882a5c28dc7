//! `rc restart`.

use std::path::PathBuf;

use super::Ctx;
use super::observer::Screen;
use super::outcome::exit_of;
use crate::console::Console;
use crate::engine::{self, Selection, Stop};
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
    let mut selection = Selection {
        all: args.all,
        cidfiles: args.cidfiles,
        names: args.containers,
        filters: args.filters,
        latest: args.latest,
        ..Selection::default()
    };
    // With --running alone all those that run are meant.
    selection.all |= args.running && !selection.is_of_named();
    let how = Stop { signal: args.signal, timeout: args.time };
    let mut screen = Screen::default();
    let front_end = Console::Apart.front_end(false);
    let restarted =
        engine::restart(&ctx.engine, ctx.manager.take(), &selection, args.running, &how, front_end, &mut screen);
    engine::sweep_soon(&ctx.engine);
    let started = restarted?;
    screen.exit()?;
    // As the main process of a unit this command ends as the program did.
    exit_of(Console::Apart.follow(started)?)
}
