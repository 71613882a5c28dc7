use std::num::ParseIntError;
use std::path::PathBuf;

use crate::engine::{self, Context, Selection, Stop};
use crate::plan::NO_TIMEOUT;
use crate::types::{Report, Signal};

/// Containers, one by one.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct NameArgs {
    /// Read the container ID from the file
    #[arg(long = "cidfile", value_name = "FILE")]
    cidfiles: Vec<PathBuf>,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl From<NameArgs> for Selection {
    fn from(args: NameArgs) -> Self {
        Self { cidfiles: args.cidfiles, names: args.containers, ..Self::default() }
    }
}

/// The latest container, for commands that take it instead of a name.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct LatestArgs {
    /// Act on the latest created container
    #[arg(short, long)]
    pub(crate) latest: bool,
}

impl LatestArgs {
    /// The container: the latest, otherwise that of `name`. Fails if it is none of them, or both.
    pub(crate) fn or(self, context: &Context, name: Option<String>) -> Result<String, Report> {
        let selection = Selection { names: name.into_iter().collect(), latest: self.latest, ..Selection::default() };
        Ok(engine::named(context, &selection)?.into_iter().next().unwrap_or_default())
    }
}

/// Containers by what they have in common, and the latest.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct FilterArgs {
    /// Act only on containers that match: KEY=VALUE
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    #[command(flatten)]
    latest: LatestArgs,
}

impl FilterArgs {
    /// The selection with these options.
    pub(crate) fn narrow(self, selection: Selection) -> Selection {
        Selection { filters: self.filters, latest: self.latest.latest, ..selection }
    }
}

/// The containers of `kill`, `rm` and `stop`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SelectionArgs {
    /// Apply to all containers
    #[arg(short, long)]
    all: bool,
    /// Ignore missing containers
    #[arg(short, long)]
    ignore: bool,
    #[command(flatten)]
    names: NameArgs,
}

impl From<SelectionArgs> for Selection {
    fn from(args: SelectionArgs) -> Self {
        Self { all: args.all, ignore: args.ignore, ..args.names.into() }
    }
}

/// The containers of `pause`, `unpause` and `container cleanup`.
#[derive(Debug, clap::Args)]
pub(crate) struct PauseArgs {
    /// Apply to all containers to which the command applies
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

impl From<PauseArgs> for Selection {
    fn from(args: PauseArgs) -> Self {
        Self { all: args.all, ..args.filter.narrow(args.names.into()) }
    }
}

/// Reads the seconds before SIGKILL; -1 is as long as it takes.
pub(crate) fn stop_timeout(text: &str) -> Result<u32, ParseIntError> {
    if text == "-1" { Ok(NO_TIMEOUT) } else { text.parse() }
}

/// How `stop` and `restart` stop a container.
#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {
    /// Signal to send (default: the container's own)
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<Signal>,
    /// Seconds to wait before SIGKILL (default: the container's own); 0 kills at once, -1 never
    #[arg(short, long, visible_alias = "timeout")]
    #[arg(value_name = "SECONDS", value_parser = stop_timeout, allow_negative_numbers = true)]
    time: Option<u32>,
}

impl From<StopArgs> for Stop {
    fn from(args: StopArgs) -> Self {
        Self { signal: args.signal, timeout: args.time }
    }
}
