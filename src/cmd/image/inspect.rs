//! `rc image inspect`.

use crate::cmd::Ctx;
use crate::cmd::inspection::{Inspection, inspect};
use crate::engine::Kind;
use crate::error::{Error, Exit};
use crate::registry::Platform;

/// Display the configuration of one or more images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Fail unless each is for this platform: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// The names or IDs
    #[arg(required = true, value_name = "IMAGE")]
    names: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let (names, format) = (&args.names[..], args.format.as_deref());
    let platform = args.platform.as_ref();
    inspect(ctx, &Inspection { kind: Kind::Image, names, format, platform, ..Inspection::default() })
}
