//! `rc import`.

use std::io::Read;

use super::Ctx;
use crate::engine::{self, Import, Imported};
use crate::error::{Error, Exit};
use crate::registry::Platform;
use crate::sys::fs;
use crate::types::ImageReference;
use crate::ui::{self, BrokenOutput};

/// Import a tarball to create a filesystem image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set the architecture of the imported image
    #[arg(long, value_name = "ARCH", conflicts_with = "platform")]
    pub(crate) arch: Option<String>,
    /// Apply an instruction of a Dockerfile that changes the configuration, such as CMD or ENV
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    pub(crate) changes: Vec<String>,
    /// Set the commit message of the imported image
    #[arg(short, long, value_name = "MESSAGE")]
    pub(crate) message: Option<String>,
    /// Set the OS of the imported image
    #[arg(long, value_name = "OS", conflicts_with = "platform")]
    pub(crate) os: Option<String>,
    /// Set the platform of the imported image: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<Platform>,
    /// Suppress progress information (accepted for compatibility: rc prints none here)
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Set the variant of the architecture of the imported image
    #[arg(long, value_name = "VARIANT", conflicts_with = "platform")]
    pub(crate) variant: Option<String>,
    /// The archive, or `-` for standard input
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
    /// The image's name
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: Option<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let name = args.reference.as_deref().map(str::parse::<ImageReference>).transpose()?;
    // Opens the file before rc enters the user's namespace: only a group of the user may be able to read it.
    let archive: Box<dyn Read + Send> =
        if args.path == "-" { Box::new(std::io::stdin()) } else { Box::new(fs::open(&args.path)?) };
    let platform = match (args.os.as_deref(), args.arch.as_deref(), args.variant.as_deref()) {
        (None, None, None) => args.platform,
        (os, arch, variant) => Some(Platform::of(os, arch, variant)),
    };
    let request = Import { name, changes: args.changes, message: args.message, platform };
    let done = engine::import(&ctx.engine, archive, request);
    // Also its own leftovers, if it failed.
    let swept = engine::sweep(&ctx.engine);
    show(&done?)?;
    swept?;
    Ok(Exit::SUCCESS)
}

/// Prints the image's ID.
fn show(imported: &Imported) -> Result<(), BrokenOutput> {
    let count = imported.skipped_devices;
    if count > 0 {
        ui::warning(format_args!("{count} device files were skipped: only root can create them"));
    }
    let mut out = ui::out();
    out.line(&imported.id)?;
    out.finish()
}
