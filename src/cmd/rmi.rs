//! `rmi`: removes names, and images that have lost their last.

use super::Ctx;
use crate::container;
use crate::engine::{self, in_use};
use crate::error::{Error, Exit};
use crate::image;
use crate::image::local::{Removal, Removed, find, list};
use crate::storage::Store;
use crate::types::Digest;
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
    /// Names or IDs of images
    #[arg(value_name = "IMAGE", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) images: Vec<String>,
}

/// Runs the command: what can be removed is, and each failure is reported.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let store = ctx.engine.store()?;
    let names: Vec<String> = if args.all {
        list(store)?.0.into_iter().map(|image| image.id.to_string()).collect()
    } else {
        args.images.clone()
    };
    if args.force {
        // Before the store's lock is taken: a container's lock comes first.
        for image in names.iter().filter_map(|name| find(store, name).ok()) {
            remove_users(ctx, store, &image.id)?;
        }
    }
    let (done, failures) = remove(args, store, &names)?;
    engine::sweep_all(&ctx.engine)?;
    report(&done)?;
    for error in &failures {
        ui::error(error, error.hint().as_deref());
    }
    if failures.is_empty() { Ok(Exit::SUCCESS) } else { Err(Error::said(125)) }
}

/// Removes the containers of an image, as `rc rm --force` does.
fn remove_users(ctx: &Ctx, store: &Store, image: &Digest) -> Result<(), Error> {
    let removal = container::Removal { force: true, timeout: None, volumes: false };
    for container in container::list(store)?.containers.iter().filter(|container| container.config.image.id == *image) {
        container::remove(store, container, &removal, &ctx.engine.runtime_dir()?)?;
    }
    Ok(())
}

/// Removes names and images while no container can begin to use one.
fn remove(args: &Args, store: &Store, names: &[String]) -> Result<(Vec<Removed>, Vec<image::Error>), Error> {
    let mut failures = Vec::new();
    let mut done = Vec::new();
    let removal = Removal::begin(store)?;
    let used = in_use(store)?;
    for name in names {
        match removal.remove(name, &used, args.force || args.all) {
            Ok(removed) => done.push(removed),
            Err(image::Error::NotFound { .. }) if args.ignore => {}
            Err(error) => failures.push(error),
        }
    }
    if done.iter().any(|removed| !removed.deleted.is_empty()) {
        removal.collect(&used)?;
    }
    Ok((done, failures))
}

fn report(done: &[Removed]) -> Result<(), BrokenOutput> {
    let mut out = ui::out();
    for removed in done {
        removed.untagged.iter().try_for_each(|name| out.line(format_args!("Untagged: {name}")))?;
        removed.deleted.iter().try_for_each(|id| out.line(format_args!("Deleted: {}", id.hex())))?;
    }
    out.finish()
}
