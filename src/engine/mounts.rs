//! Files of images and containers for the user to look at: mounts in the mount namespace of `rc unshare`, which end
//! with it.
//!
//! `RUNTIME/mounts/KIND/ID/` has the mount point `files` and an `empty` directory. A container that runs needs no
//! mount: its files are at the root of its first process. Everything else is read-only, so that no start meets a
//! writer.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::image::{of_container, target};
use crate::container::{self, Container};
use crate::image::local::{self, LocalImage};
use crate::runtime;
use crate::storage::Store;
use crate::sys::{fs, mount};
use crate::types::{Report, ReportKind};
use crate::userns::IdMap;

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MountKind {
    /// The files of an image.
    Image,
    /// The files of a container.
    Container,
}

/// Files that can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// The ID of the image or the container.
    pub(crate) id: String,
    /// Where they are.
    pub(crate) path: PathBuf,
}

impl MountKind {
    fn directory(self, context: &Context) -> Result<PathBuf, Report> {
        let kind = match self {
            Self::Image => "image",
            Self::Container => "container",
        };
        Ok(context.runtime_dir()?.join("mounts").join(kind))
    }
}

/// Mounts the files of an image or a container; one that is mounted stays so.
///
/// Fails outside of `rc unshare`, where nobody could see the mount.
pub(crate) fn mount_files(context: &Context, kind: MountKind, name: &str) -> Result<Mounted, Report> {
    let ids = own_map()?;
    let store = context.store()?;
    let (id, layers) = match kind {
        MountKind::Image => {
            let image = local::find(store, &context.registries, name)?;
            (image.id.hex().to_owned(), layers(store, &image, &ids)?)
        }
        MountKind::Container => {
            let container = container::find(store, name)?;
            let id = container.config.id.to_string();
            if let Some(path) = root_of(&container) {
                return Ok(Mounted { id, path });
            }
            let mut layers = match &container.config.root_directory {
                Some(root) if !root.is_overlaid => return Ok(Mounted { id, path: root.path.clone() }),
                Some(root) => vec![root.path.clone()],
                None => layers(store, &of_container(store, &container.config)?, &ids)?,
            };
            layers.push(container.directory.at("upper"));
            (id, layers)
        }
    };
    let directory = kind.directory(context)?.join(&id);
    let (files, empty) = (directory.join("files"), directory.join("empty"));
    if !is_mounted(&files)? {
        fs::create_dir_all(&files)?;
        fs::create_dir_all(&empty)?;
        runtime::browse(&layers, &empty, &files)?;
    }
    Ok(Mounted { id, path: files })
}

/// The IDs of all that can be mounted.
pub(crate) fn mountable(context: &Context, kind: MountKind) -> Result<Vec<String>, Report> {
    let store = context.store()?;
    Ok(match kind {
        MountKind::Image => local::list(store)?.0.into_iter().map(|image| image.id.to_string()).collect(),
        MountKind::Container => container::list(store)?.containers.iter().map(|it| it.config.id.to_string()).collect(),
    })
}

/// What is mounted of this kind in this mount namespace; of containers also those that run.
pub(crate) fn mounted_files(context: &Context, kind: MountKind) -> Result<Vec<Mounted>, Report> {
    own_map()?;
    let mut all = Vec::new();
    if kind == MountKind::Container {
        let containers = container::list(context.store()?)?.containers;
        let running = containers.iter().filter_map(|it| Some((it.config.id.to_string(), root_of(it)?)));
        all.extend(running.map(|(id, path)| Mounted { id, path }));
    }
    for path in fs::paths_in(kind.directory(context)?).unwrap_or_default() {
        let files = path.join("files");
        if is_mounted(&files)? {
            let id = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            all.push(Mounted { id, path: files });
        }
    }
    Ok(all)
}

/// Ends a mount, and returns the ID. The mount point is removed. Fails if nothing is mounted.
pub(crate) fn unmount_files(context: &Context, kind: MountKind, name: &str) -> Result<String, Report> {
    own_map()?;
    let store = context.store()?;
    let id = match kind {
        MountKind::Image => local::find(store, &context.registries, name)?.id.hex().to_owned(),
        MountKind::Container => container::find(store, name)?.config.id.to_string(),
    };
    let directory = kind.directory(context)?.join(&id);
    let files = directory.join("files");
    if !is_mounted(&files)? {
        return Err(Report::new(ReportKind::Conflict, format!("`{name}` is not mounted")));
    }
    mount::detach(&files).map_err(|error| fs::PathError::new("unmount", files.clone(), error))?;
    // Another `rc unshare` may have its own mount here.
    for path in [files, directory.join("empty"), directory] {
        drop(fs::remove_dir(&path));
    }
    Ok(id)
}

fn own_map() -> Result<IdMap, Report> {
    IdMap::of_process()?.ok_or_else(|| {
        let message = "a mount of yours is seen only within `rc unshare`";
        Report::new(ReportKind::Unsupported, message).with_hint("run `rc unshare`, and then the command in its shell")
    })
}

/// The root of a container that runs.
fn root_of(container: &Container) -> Option<PathBuf> {
    let pid = container.state.init.as_ref().filter(|_| container.is_running())?.pid;
    Some(PathBuf::from(format!("/proc/{pid}/root")))
}

fn layers(store: &Store, image: &LocalImage, ids: &IdMap) -> Result<Vec<PathBuf>, Report> {
    let target = target(ids);
    Ok(match local::unpacked_layers(store, image, &target.map)? {
        Some(directories) => directories,
        None => local::ensure_layers(store, image, &target)?,
    })
}

/// Whether something is mounted there. Source: proc_pid_mountinfo(5), whose fifth field is the mount point.
fn is_mounted(path: &Path) -> Result<bool, Report> {
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    let wanted = path.display().to_string().replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011");
    Ok(text.lines().any(|line| line.split(' ').nth(4) == Some(&wanted)))
}
