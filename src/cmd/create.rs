//! `rc create`, and what `run` has in common with it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::args::{self, ContainerArgs};
use super::{Ctx, from_image, leftovers};
use crate::container::{self, Creation, Environment, Removal};
use crate::error::{Error, Exit};
use crate::plan::{self, Request};
use crate::storage::Store;
use crate::sys::{fs, process};
use crate::types::{ContainerId, Name};
use crate::ui;

/// Create but do not start a container
#[derive(Debug, clap::Args)]
#[command(override_usage = "rc create [OPTIONS] IMAGE [COMMAND [ARG...]]")]
pub(crate) struct Args {
    #[command(flatten)]
    container: ContainerArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let is_quiet = args.container.is_quiet();
    let mut request = args.container.into_request(&ctx.typed)?;
    // Nobody waits at its output now; `start -a` may later.
    request.detach = true;
    let environment = ctx.environment()?;
    let Made { creation, .. } = prepare(ctx, &environment, &request, is_quiet)?;
    container::create(&creation)?;
    let id = &creation.config.id;
    if let Some(path) = &creation.config.cidfile {
        write_cidfile(path, id)?;
    }
    let mut out = ui::out();
    out.line(id)?;
    out.finish()?;
    leftovers::sweep_soon(ctx, &environment.store);
    Ok(Exit::SUCCESS)
}

/// A container that can be made, and the layers that it starts from, lowest first.
pub(super) struct Made {
    pub(super) creation: Creation,
    pub(super) lowers: Vec<PathBuf>,
}

/// Finds the image (or fetches it), and joins it with what was asked for.
pub(super) fn prepare(ctx: &Ctx, environment: &Environment, request: &Request, is_quiet: bool) -> Result<Made, Error> {
    let store = &environment.store;
    let passes_through = request.log.driver.as_deref() == Some("passthrough");
    if passes_through && (0..3).filter_map(process::standard).any(rustix::termios::isatty) {
        return Err(container::Error::PassedTerminal.into());
    }
    let name = request.name.as_deref().map(str::parse::<Name>).transpose()?;
    if let Some(path) = &request.cidfile
        && fs::symlink_metadata(path).is_ok()
    {
        return Err(Error::new(format!("the file `{}` exists already", path.display()))
            .with_hint("remove it, or write the id to another file with --cidfile"));
    }
    let (image, image_lock) = from_image::get(ctx, store, request, is_quiet)?;
    let lowers = from_image::layers(store, &image, environment)?;
    let identity = container::new_identity(store, name)?;
    let volume_name = || container::volume_name(&identity.id).unwrap_or_else(|_| identity.name.clone());
    let facts = args::facts(&ctx.settings, &volume_name)?;
    let defaults = image.defaults(&request.image);
    let config = plan::resolve(request, &defaults, &facts, identity.clone())?;
    for warning in plan::warnings(request, &config) {
        ui::warning(warning);
    }
    let files = container::files(&config)?;
    // Only now: what cannot be made must not cost the user what is there.
    if request.replace && request.name.is_some() {
        remove_old(store, &config.name, environment)?;
    }
    let image_lock = RefCell::new(Some(image_lock));
    Ok(Made { creation: Creation { store: store.clone(), config, files, image_lock }, lowers })
}

/// Removes the container that has the name, running or damaged or not.
fn remove_old(store: &Store, name: &Name, environment: &Environment) -> Result<(), Error> {
    let removal = Removal { force: true, timeout: None, volumes: false };
    match container::find(store, name.as_str()) {
        Ok(old) => container::remove(store, &old, &removal, &environment.runtime_dir)?,
        Err(container::Error::Damaged { id, .. }) => {
            container::remove_damaged(store, &id, &removal, &environment.runtime_dir)?;
        }
        Err(_) => {}
    }
    Ok(())
}

/// Writes the id into a new file; whatever is there is an error, also a link. On failure no file is left.
pub(super) fn write_cidfile(path: &Path, id: &ContainerId) -> Result<PathBuf, Error> {
    use std::io::Write as _;
    let mut file = fs::create_new(path)?;
    if let Err(source) = file.write_all(id.as_str().as_bytes()) {
        drop(fs::remove_file(path));
        return Err(fs::PathError::new("write", path, source).into());
    }
    Ok(path.to_owned())
}
