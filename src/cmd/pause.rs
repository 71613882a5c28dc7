//! `rc pause`.

use std::path::PathBuf;

use super::Ctx;
use super::containers::{Selection, each};
use crate::container;
use crate::error::{Error, Exit};
use crate::monitor::Status;

/// Pause all the processes in one or more containers
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,
}

/// Which containers are to be paused, or to go on.
#[derive(Debug, clap::Args)]
pub(super) struct Chosen {
    /// All containers that this is for
    #[arg(short, long)]
    all: bool,
    /// Read the container's id from the file
    #[arg(long = "cidfile", value_name = "FILE")]
    cidfiles: Vec<PathBuf>,
    /// Names, ids or unique beginnings of ids
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Chosen {
    pub(super) fn selection(&self) -> Selection {
        Selection {
            all: self.all,
            cidfiles: self.cidfiles.clone(),
            containers: self.containers.clone(),
            ..Selection::default()
        }
    }
}

/// Runs the command.
pub fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let selection = args.chosen.selection();
    each(&ctx.store_to_read()?, &selection, |container| {
        if selection.all && container.status != Status::Running {
            return Ok(false);
        }
        container::pause(container)?;
        Ok(true)
    })
}
