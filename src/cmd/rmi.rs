//! `rc rmi`.

use super::Ctx;
use crate::engine::{self, RemoveImages};
use crate::error::{Error, Exit};
use crate::image::local::Removed;
use crate::registry::Platform;
use crate::types::Dialect;
use crate::ui::{self, BrokenOutput};

/// Remove one or more images from local storage
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Remove all images
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Force removal of the image, all its names, and the containers that use it
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Ignore missing images
    #[arg(short, long)]
    pub(crate) ignore: bool,
    /// Do not remove parents without a name (accepted for compatibility: images of rc have no parents)
    #[arg(long)]
    pub(crate) no_prune: bool,
    /// Only images for this platform: OS/ARCH[/VARIANT]; several with commas
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(crate) platform: Vec<Platform>,
    /// Names or IDs of images
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<String>,
}

/// Runs the command: it removes what it can, and reports each failure.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    match (args.all, args.images.is_empty()) {
        (true, false) => return Err(Error::new("images cannot be named together with --all")),
        (false, true) => return Err(Error::new("no image was named").with_hint("name one, or use --all")),
        _ => {}
    }
    let Args { all, force, ignore, platform: platforms, images: names, .. } = args;
    // Docker's --force removes no container.
    let with_users = force && ctx.dialect != Dialect::Docker;
    let request = RemoveImages { names, all, force, with_users, ignore, platforms };
    let (done, failures) = engine::remove_images(&ctx.engine, &request)?;
    show(&done)?;
    for report in &failures {
        ui::error(report, report.hint.as_deref(), Some(report.kind));
    }
    let kinds = failures.iter().map(|report| report.kind);
    if failures.is_empty() { Ok(Exit::SUCCESS) } else { Err(Error::said(kinds)) }
}

fn show(done: &[Removed]) -> Result<(), BrokenOutput> {
    let mut out = ui::out();
    for removed in done {
        removed.untagged.iter().try_for_each(|name| out.line(format_args!("Untagged: {name}")))?;
        removed.deleted.iter().try_for_each(|id| out.line(format_args!("Deleted: {}", id.hex())))?;
    }
    out.finish()
}
