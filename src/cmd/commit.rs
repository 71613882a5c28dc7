//! `rc commit`.

use std::path::{Path, PathBuf};

use super::Ctx;
use crate::engine::{self, Commit};
use crate::error::{Error, Exit};
use crate::sys::{fs, replacement};
use crate::types::{ImageReference, ImageSettings, json};
use crate::ui;

/// Create a new image from a container's changes
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set the author of the image
    #[arg(short, long, value_name = "AUTHOR")]
    author: Option<String>,
    /// Apply an instruction of a Dockerfile that changes the configuration, such as CMD or ENV
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Merge the image configuration in the file, which is JSON as `image inspect` prints `.Config`, into the image's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The format of the image: only oci
    #[arg(short, long, value_name = "FORMAT", default_value = "oci", hide_default_value = true)]
    format: String,
    /// Write the image ID to the file
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Make the container's volumes volumes of the image
    #[arg(long)]
    include_volumes: bool,
    /// Set the commit message
    #[arg(short, long, value_name = "MESSAGE")]
    message: Option<String>,
    /// Pause the container while its files are read
    #[arg(short, long)]
    pause: bool,
    /// Suppress progress output (accepted for compatibility: rc prints none here)
    #[arg(short, long)]
    quiet: bool,
    /// Put all files into one layer
    #[arg(short, long)]
    squash: bool,
    /// Its name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The image's name
    #[arg(value_name = "IMAGE")]
    image: Option<String>,
}

/// The longest configuration, in bytes. Source: safety.md I5.
const LIMIT: u64 = 4 << 20;

/// Reads `--config`. What it does not know could be a mistake in a name, so it is refused.
fn read_settings(path: &Path) -> Result<ImageSettings, Error> {
    let settings: Result<ImageSettings, _> = json::from_slice(&fs::read_limited(path, LIMIT)?);
    let refused = |reason: String| Error::new(format!("`--config`: cannot read `{}`: {reason}", path.display()));
    let settings = settings.map_err(|error| refused(error.to_string()))?;
    match settings.other.keys().find(|key| !OTHERS.contains(&key.as_str())) {
        Some(key) => Err(refused(format!("unknown key `{key}`"))),
        None => Ok(settings),
    }
}

/// Keys of docker's that images have no use for any more. Source: moby, `container.Config`.
const OTHERS: [&str; 13] = [
    "ArgsEscaped",
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Domainname",
    "Hostname",
    "Image",
    "MacAddress",
    "NetworkDisabled",
    "OpenStdin",
    "StdinOnce",
    "StopTimeout",
    "Tty",
];

/// Runs the command: prints the image's ID.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    if args.format != "oci" {
        let message = format!("the image format `{}` is not supported", args.format);
        return Err(Error::new(message).with_hint("use `oci`, which docker and podman read as well"));
    }
    let name = args.image.as_deref().map(str::parse::<ImageReference>).transpose()?;
    let request = Commit {
        container: args.container,
        name,
        author: args.author,
        config: args.config.as_deref().map(read_settings).transpose()?,
        changes: args.changes,
        message: args.message,
        pause: args.pause,
        squash: args.squash,
        include_volumes: args.include_volumes,
    };
    let committed = engine::commit(&ctx.engine, request);
    // Also its own leftovers, if it failed.
    let swept = engine::sweep(&ctx.engine);
    let id = committed?;
    if let Some(path) = &args.iidfile {
        replacement::replace_named(path, id.to_string().as_bytes())?;
    }
    let mut out = ui::out();
    out.line(id.hex())?;
    out.finish()?;
    swept?;
    Ok(Exit::SUCCESS)
}
