use std::path::PathBuf;

use crate::engine::Selection;

/// The containers that a command is about.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SelectionArgs {
    /// Apply to all containers
    #[arg(short, long)]
    all: bool,
    /// Read the container ID from the file
    #[arg(long = "cidfile", value_name = "FILE")]
    cidfiles: Vec<PathBuf>,
    /// Ignore missing containers
    #[arg(short, long)]
    ignore: bool,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl From<SelectionArgs> for Selection {
    fn from(args: SelectionArgs) -> Self {
        let SelectionArgs { all, cidfiles, ignore, containers } = args;
        Self { all, cidfiles, ignore, names: containers, ..Self::default() }
    }
}

/// The containers to pause or to unpause.
#[derive(Debug, clap::Args)]
pub(crate) struct ManyArgs {
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

impl From<ManyArgs> for Selection {
    fn from(args: ManyArgs) -> Self {
        let ManyArgs { all, cidfiles, filters, latest, containers } = args;
        Self { all, cidfiles, filters, latest, names: containers, ..Self::default() }
    }
}
