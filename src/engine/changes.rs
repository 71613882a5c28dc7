//! What a container has changed, as a list, an archive or an image.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::context::Context;
use super::happened;
use super::image;
use crate::container::{self, Container, Environment, Filesystem, Manager};
use crate::image::commit::{self, Committed, Packed};
use crate::image::local;
use crate::monitor::Status;
use crate::plan::{ContainerConfig, MountKind};
use crate::storage::changes::changes as compare;
pub(crate) use crate::storage::changes::{Change, ChangeKind};
pub(crate) use crate::storage::pack::LeftOut;
use crate::storage::pack::{self, Contents, Owner, Pack};
use crate::sys::fs::{self, AtPath as _};
use crate::sys::process;
use crate::types::{Digest, ImageReference, ImageSettings, Report, ReportKind};
use crate::userns::{self, UserNamespace};

/// What rc itself puts into every container. Source: podman, `initInodes`.
const OWN: [&str; 9] = [
    "/dev",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/proc",
    "/run/.containerenv",
    "/run/secrets",
    "/sys",
    "/etc/mtab",
];

/// The size of buffers, in bytes.
const BUFFER: usize = 256 << 10;

/// What a container has changed in the files of its image.
fn changes(context: &Context, name: &str) -> Result<Vec<Change>, Report> {
    let environment = context.environment(Manager::default())?;
    let container = container::find(&environment.store, name)?;
    let layers = image::layers_of(&environment, &container.config)?;
    if layers.is_root {
        let message = format!("what container `{name}` has changed is unknown: it writes to the directory of --rootfs");
        return Err(Report::new(ReportKind::Unsupported, message).with_hint("`--rootfs DIR:O` keeps the changes apart"));
    }
    changes_in(&environment, &container.directory.at("upper"), &layers.lowers, &OWN)
        .map_err(|report| container.unless_removed(report))
}

/// [`changes`] of the container of that name, or [`image_changes`] if there is none.
pub(crate) fn changes_of_any(context: &Context, name: &str) -> Result<Vec<Change>, Report> {
    let store = context.store_to_read()?;
    match container::find(&store, name) {
        Err(error) if error.is_missing() && local::find(&store, &context.registries, name).is_ok() => {
            image_changes(context, name)
        }
        _ => changes(context, name),
    }
}

/// What the last layer of an image has changed in those below it.
pub(crate) fn image_changes(context: &Context, name: &str) -> Result<Vec<Change>, Report> {
    let environment = context.environment(Manager::default())?;
    let found = local::find(&environment.store, &context.registries, name)?;
    let mut layers = image::layers(&environment.store, &found, &environment)?;
    match layers.pop() {
        Some(top) => changes_in(&environment, &top, &layers, &[]),
        None => Ok(Vec::new()),
    }
}

/// What is in `upper`, compared with the layers below it, lowest first; without the paths in `left_out`.
fn changes_in(
    environment: &Environment,
    upper: &Path,
    lowers: &[PathBuf],
    left_out: &[&str],
) -> Result<Vec<Change>, Report> {
    let home = UserNamespace::open(&environment.ids, &environment.runtime_dir)?;
    userns::inside(&home, "rc: diff", || {
        let open = |path: &Path| fs::open_directory(path).map(OwnedFd::from);
        let lowers = lowers.iter().rev().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
        compare(&open(upper)?, &lowers, left_out).at("compare", upper)
    })
}

/// Writes a container's files, without what is mounted in it, to an archive.
pub(crate) fn export(context: &Context, name: &str, out: impl Write) -> Result<LeftOut, Report> {
    let environment = context.environment(Manager::default())?;
    let container = container::find(&environment.store, name)?;
    let layers = image::layers_of(&environment, &container.config)?;
    let filesystem = Filesystem::open(&environment, &container, layers, false)?;
    let work = filesystem.start("rc: export", move |root| pack_root(root, b"", out))?;
    let left_out = work.finish()?;
    happened::to_container(&environment.store, &container.config, "export");
    Ok(left_out)
}

/// With `.` as the name, the root itself is in the archive, too.
fn pack_root(root: BorrowedFd<'_>, name: &[u8], out: impl Write) -> Result<LeftOut, Report> {
    let how = Pack { name, contents: Contents::Files { stay: true }, owner: Owner::Own };
    Ok(pack::pack(root, OsStr::new("."), &how, BufWriter::with_capacity(BUFFER, out))?)
}

/// An image that is made of a container.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// The container.
    pub(crate) container: String,
    /// The image's name.
    pub(crate) name: Option<ImageReference>,
    /// Its author.
    pub(crate) author: Option<String>,
    /// A configuration that is merged into its own.
    pub(crate) config: Option<ImageSettings>,
    /// Dockerfile instructions that change its configuration.
    pub(crate) changes: Vec<String>,
    /// The comment in its history.
    pub(crate) message: Option<String>,
    /// The container is frozen meanwhile, if it runs.
    pub(crate) pause: bool,
    /// One layer with all files, instead of the image's layers and one with the changes.
    pub(crate) squash: bool,
    /// Its volumes become volumes of the image.
    pub(crate) include_volumes: bool,
}

/// Makes an image of a container, and returns its ID. If it fails, [`super::sweep`] removes what it has stored.
pub(crate) fn commit(context: &Context, request: Commit) -> Result<Digest, Report> {
    let environment = context.environment(Manager::default())?;
    let store = &environment.store;
    let container = container::find(store, &request.container)?;
    // Nobody removes the image, or the container with its layers, meanwhile.
    let base = image::of_container(store, &container.config)?;
    let frozen = Frozen::new(&container, request.pause)?;
    let maps = &container.config.user_namespace.maps;
    let layers = image::mapped_layers(store, &base, &environment, maps)?;
    let home = UserNamespace::open(&environment.ids, &environment.runtime_dir)?;
    let mut settings = settings(&container.config, &base.config.config, request.include_volumes);
    if let Some(config) = request.config {
        settings.merge(config);
    }
    let options = commit::Options {
        name: request.name,
        settings,
        changes: request.changes,
        author: request.author,
        message: request.message,
        container: container.config.id.to_string(),
        squash: request.squash,
        target: image::target(&environment.ids),
    };
    // Before anything is stored.
    commit::check(&options)?;
    let (archive, write) = pipe()?;
    let (done, complete) = pipe()?;
    let say_complete = move || File::from(complete).write_all(b".").at("pack", "the container's files");
    let upper = container.directory.at("upper");
    let filesystem = match request.squash {
        true => Some(Filesystem::open(&environment, &container, layers, false)?),
        false => None,
    };
    let packing = match &filesystem {
        Some(filesystem) => Packing::Root(filesystem.start("rc: commit", |root| {
            drop(process::close(archive.as_fd()));
            let left_out = pack_root(root, b".", File::from(write))?;
            say_complete()?;
            Ok(left_out)
        })?),
        None => Packing::Upper(userns::start_inside(&home, "rc: commit", || {
            drop(process::close(archive.as_fd()));
            let upper = fs::open_directory(&upper)?;
            userns::enter_maps(&environment.ids, maps)?;
            let how = Pack { name: b"", contents: Contents::Layer { root: true }, owner: Owner::Own };
            let out = BufWriter::with_capacity(BUFFER, File::from(write));
            let left_out = pack::pack(upper.as_fd(), OsStr::new("."), &how, out)?;
            say_complete()?;
            Ok::<_, Report>(left_out)
        })?),
    };
    let layer = Packed { archive: File::from(archive), done: File::from(done) };
    let making = userns::start_inside(&home, "rc: commit", || commit::commit(store, &base, layer, &options))?;
    let packed = packing.finish();
    // The container is released before the store is awaited, which who waits for the container may have.
    drop((frozen, filesystem));
    let made = making.finish();
    // A packer whose reader has failed says less.
    match (packed, made) {
        (Err(report), Err(_)) if !matches!(report.kind, ReportKind::Interrupted(_)) => {
            Err(container.unless_removed(report))
        }
        (Err(report), Ok(_)) => Err(container.unless_removed(report)),
        (_, made) => made.map(|Committed { id }| {
            happened::to_container(store, &container.config, "commit");
            id
        }),
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Report> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| Report::new(ReportKind::of_step(&error.into()), "cannot create a pipe"))
}

enum Packing {
    Root(container::Working<LeftOut>),
    Upper(userns::Inside<LeftOut>),
}

impl Packing {
    fn finish(self) -> Result<LeftOut, Report> {
        match self {
            Self::Root(working) => working.finish(),
            Self::Upper(inside) => inside.finish(),
        }
    }
}

/// A container that is frozen until this is dropped.
struct Frozen<'a>(Option<&'a Container>);

impl<'a> Frozen<'a> {
    fn new(container: &'a Container, pause: bool) -> Result<Self, Report> {
        if !pause || container.status != Status::Running {
            return Ok(Self(None));
        }
        container::pause(container)?.finish()?;
        Ok(Self(Some(container)))
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if let Some(container) = self.0 {
            let thawed =
                Container::read(container.directory.clone()).and_then(|now| container::unpause(&now)?.finish());
            drop(thawed);
        }
    }
}

/// The defaults of a container, as those of an image. What rc itself has added to the environment is left out, and so
/// are proxies, which may have passwords.
fn settings(config: &ContainerConfig, base: &ImageSettings, include_volumes: bool) -> ImageSettings {
    let is_own = |line: &&String| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let is_proxy = name.to_ascii_lowercase().ends_with("_proxy");
        let added = name == "container" && value == "oci"
            || name == "HOSTNAME" && value == config.hostname
            || name == "TERM" && config.tty;
        (added || is_proxy) && !base.env.contains(*line)
    };
    let published = config.ports.iter().map(|port| format!("{}/{}", port.container_port, port.protocol));
    let exposed = base.exposed_ports.keys().cloned().chain(config.image.exposed_ports.iter().cloned()).chain(published);
    let mut settings = base.clone();
    settings.user.clone_from(&config.user);
    settings.exposed_ports = exposed.map(|port| (port, serde_json::json!({}))).collect();
    settings.env = config.env.iter().filter(|line| !is_own(line)).cloned().collect();
    settings.entrypoint = config.argv.get(..config.entrypoint_len).unwrap_or_default().to_vec();
    settings.cmd = config.argv.get(config.entrypoint_len..).unwrap_or_default().to_vec();
    settings.working_dir.clone_from(&config.working_dir);
    settings.labels.clone_from(&config.labels);
    settings.stop_signal = config.stop_signal.to_string();
    if include_volumes {
        let mounted = config.mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Volume { .. }));
        settings.volumes.extend(mounted.map(|mount| (mount.destination.clone(), serde_json::json!({}))));
    }
    settings
}
