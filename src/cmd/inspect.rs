//! `rc inspect`.

use super::Ctx;
use super::inspection::{Inspection, inspect};
use crate::engine;
use crate::error::{Error, Exit};

/// Display the configuration of containers, images, volumes, networks and pods
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Show the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Show the sizes of containers
    #[arg(short, long)]
    size: bool,
    /// Type of object to look for: all, container, image, volume, network or pod (default: all)
    #[arg(
        short = 't',
        long = "type",
        value_name = "TYPE",
        default_value = "all",
        hide_default_value = true,
        hide_possible_values = true
    )]
    kind: Kind,
    /// The names or IDs
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// The values of `--type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A container, otherwise an image, otherwise a volume, otherwise a network, otherwise a pod.
    #[default]
    All,
    /// Only containers.
    Container,
    /// Only images.
    Image,
    /// Only volumes.
    Volume,
    /// Only networks.
    Network,
    /// Only pods.
    Pod,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let Args { format, latest, size, kind, names } = args;
    inspect(
        ctx,
        &Inspection {
            kind: (*kind).into(),
            names,
            latest: *latest,
            format: format.as_deref(),
            size: *size,
            platform: None,
        },
    )
}

impl From<Kind> for engine::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::All => Self::Any,
            Kind::Container => Self::Container,
            Kind::Image => Self::Image,
            Kind::Volume => Self::Volume,
            Kind::Network => Self::Network,
            Kind::Pod => Self::Pod,
        }
    }
}
