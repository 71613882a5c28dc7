//! `rc pause`.

use std::path::PathBuf;

use super::Ctx;
use super::containers::{Selection, each};
use crate::container;
use crate::error::{Error, Exit};
use crate::monitor::Status;

/// Pause all the processes in one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chosen: Chosen,
}

/// The containers to pause or to unpause.
#[derive(Debug, clap::Args)]
pub(super) struct Chosen {
    /// Apply to all containers that can be paused or unpaused
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
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Chosen {
    pub(super) fn selection(&self) -> Selection {
        Selection {
            all: self.all,
            cidfiles: self.cidfiles.clone(),
            containers: self.containers.clone(),
            filters: self.filters.clone(),
            latest: self.latest,
            ..Selection::default()
        }
    }
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let selection = args.chosen.selection();
    each(&ctx.engine.store_to_read()?, &selection, |container| {
        if selection.is_of_many() && container.status != Status::Running {
            return Ok(false);
        }
        container::pause(container)?;
        Ok(true)
    })
}
