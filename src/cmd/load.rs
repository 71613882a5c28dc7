//! `rc load`.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::image::load::{Input, Loaded};
use crate::registry::Platform;
use crate::sys::fs;
use crate::ui::{self, BrokenOutput};

/// Load image(s) from a tar archive
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Load images from the archive file or directory (default: standard input)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Load the image for this platform: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<Platform>,
    /// Suppress progress information (accepted for compatibility: rc prints none here)
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    // Opens the file before rc enters the user's namespace: only a group of the user may be able to read it.
    let input = match &args.input {
        Some(path) if fs::metadata(path)?.is_dir() => Input::Directory(path.clone()),
        Some(path) => Input::file(path)?,
        None if std::io::stdin().is_terminal() => {
            return Err(Error::new("no archive given, and standard input is a terminal"));
        }
        None => Input::Archive(Box::new(std::io::stdin()), None),
    };
    let loaded = engine::load(&ctx.engine, input, args.platform.clone());
    // Also its own leftovers, if it failed.
    let swept = engine::sweep(&ctx.engine);
    report(&loaded?)?;
    swept?;
    Ok(Exit::SUCCESS)
}

/// Prints what was loaded, with `--quiet` too, as podman and docker do: it is the result.
fn report(loaded: &[Loaded]) -> Result<(), BrokenOutput> {
    let devices: u64 = loaded.iter().map(|image| image.skipped_devices).sum();
    if devices > 0 {
        ui::warning(format_args!("{devices} device files were skipped: only root can create them"));
    }
    let mut out = ui::out();
    for image in loaded {
        if image.names.is_empty() {
            out.line(format_args!("Loaded image: {}", image.id))?;
        }
        image.names.iter().try_for_each(|name| out.line(format_args!("Loaded image: {name}")))?;
    }
    out.finish()
}
