//! Volumes of the store: create, list, find, remove.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::context::Context;
use super::happened;
use super::observer::Observer;
use super::sweep::sweep_all;
use super::used::{remove_users, tolerate};
use crate::container::{self, Container};
use crate::monitor::{self, Status};
use crate::plan::{LocalVolume, MountKind};
use crate::storage::pack::{self, Contents, LeftOut, Owner, Pack};
use crate::storage::tar::Reader;
use crate::storage::unpack::{self, Owners, Unpack};
use crate::storage::volumes::{Record, Volume};
use crate::storage::{Store, decompress};
use crate::sys::fs;
use crate::types::{Name, Report, ReportKind, Thing};
use crate::userns::{self, UserNamespace};
use crate::view::filter::{VolumeFacts, VolumeFilter};

/// A volume that is to be created.
#[derive(Debug, Default)]
pub(crate) struct NewVolume {
    /// Its name, otherwise a random one.
    pub(crate) name: Option<String>,
    /// Labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Options of the driver.
    pub(crate) options: BTreeMap<String, String>,
    /// An existing volume of that name is no failure.
    pub(crate) ignore: bool,
}

/// A volume and its users.
#[derive(Debug)]
pub(crate) struct ListedVolume {
    /// The volume.
    pub(crate) volume: Volume,
    /// Where its files are: its own directory, or what is bound in its place.
    pub(crate) mountpoint: PathBuf,
    /// How many containers use it.
    pub(crate) users: usize,
    /// How many of them run.
    pub(crate) running: usize,
    /// Whether the image's files will be copied into it.
    pub(crate) needs_copy_up: bool,
}

/// Creates a volume. On failure nothing is left.
///
/// Fails if it exists, or if an option is not one that a user can have.
pub(crate) fn create_volume(context: &Context, new: NewVolume) -> Result<Name, Report> {
    let local = LocalVolume::parse(&new.options)?;
    let store = context.store()?;
    let name: Name = match &new.name {
        Some(name) => name.parse()?,
        None => container::random_name()?,
    };
    let NewVolume { labels, options, ignore, .. } = new;
    let record = Record { name: name.clone(), created: monitor::now(), labels, is_anonymous: false, options };
    let made = store.make_volume(&record, |data| own(context, &local, data))?;
    if !made && !ignore {
        let report = Report::new(ReportKind::Conflict, format!("the volume `{name}` already exists"));
        return Err(report.with_hint("remove it with `rc volume rm`, or use --ignore"));
    }
    if made {
        happened::to_volume(store, "create", name.as_str());
    }
    Ok(name)
}

/// Gives the directory of a new volume the owner that its options name.
fn own(context: &Context, local: &LocalVolume, data: &Path) -> Result<(), Report> {
    let LocalVolume::Directory { uid, gid, .. } = *local else { return Ok(()) };
    if uid.unwrap_or(0) == 0 && gid.unwrap_or(0) == 0 {
        return Ok(());
    }
    let ids = context.ids()?;
    if uid.is_some_and(|uid| uid >= ids.users()) || gid.is_some_and(|gid| gid >= ids.groups()) {
        let message = format!("the owner of the volume is not mapped: only the IDs 0 to {} are", ids.users() - 1);
        return Err(Report::new(ReportKind::Invalid, message));
    }
    let home = UserNamespace::open(&ids, &context.runtime_dir()?)?;
    userns::inside(&home, "rc: volume", || {
        let (uid, gid) = (uid.map(rustix::fs::Uid::from_raw), gid.map(rustix::fs::Gid::from_raw));
        fs::AtPath::at(rustix::fs::chown(data, uid, gid), "set the owner of", data)
    })
}

/// All volumes that match the filters, and a failure for each that cannot be read.
pub(crate) fn volumes(context: &Context, filters: &[String]) -> Result<(Vec<ListedVolume>, Vec<Report>), Report> {
    let store = context.store_to_read()?;
    let found = store.list_volumes()?;
    let containers: Vec<Container> = container::list(&store)?.all().collect();
    let created = |name: &str| -> Option<Timestamp> {
        found.volumes.iter().find(|volume| volume.record.name.as_str() == name)?.record.created.parse().ok()
    };
    let filter = VolumeFilter::parse(filters, context.clock(), created)?;
    let listed = found.volumes.iter().map(|volume| listed(volume.clone(), &containers));
    let shown = listed
        .filter(|listed| filter.matches(VolumeFacts { record: &listed.volume.record, is_used: listed.users > 0 }))
        .collect();
    Ok((shown, found.damaged.into_iter().map(|(_, error)| error.into()).collect()))
}

/// The volume with this name or unique beginning of a name.
pub(crate) fn volume(context: &Context, name: &str) -> Result<ListedVolume, Report> {
    let store = context.store_to_read()?;
    let found = find(&store, name)?;
    Ok(listed(found, &container::list(&store)?.all().collect::<Vec<_>>()))
}

fn listed(volume: Volume, containers: &[Container]) -> ListedVolume {
    let users = containers.iter().filter(|container| uses(container, &volume.record.name));
    let running = users.clone().filter(|container| is_up(container.status)).count();
    let local = LocalVolume::parse(&volume.record.options).ok();
    let mountpoint = match &local {
        Some(LocalVolume::Bind { device, .. }) => device.clone(),
        _ => volume.data(),
    };
    let needs_copy_up = local.is_some_and(|local| local.copies()) && volume.is_fresh().unwrap_or(false);
    ListedVolume { mountpoint, users: users.count(), running, needs_copy_up, volume }
}

fn is_up(status: Status) -> bool {
    !matches!(status, Status::Created | Status::Exited | Status::Removing)
}

fn uses(container: &Container, volume: &Name) -> bool {
    let names = |kind: &MountKind| matches!(kind, MountKind::Volume { name, .. } if name == volume);
    container.config.mounts.iter().any(|mount| names(&mount.kind))
}

/// As podman: a whole name comes before the beginning of one.
pub(super) fn find(store: &Store, typed: &str) -> Result<Volume, Report> {
    let missing = || missing(typed);
    // No other text can be one, not even its beginning.
    let name: Name = typed.parse().map_err(|_| missing())?;
    if let Some(volume) = store.volume(&name)? {
        return Ok(volume);
    }
    let all = store.list_volumes()?.volumes.into_iter();
    let mut matching = all.filter(|volume| volume.record.name.as_str().starts_with(typed));
    match (matching.next(), matching.next()) {
        (Some(volume), None) => Ok(volume),
        (Some(_), Some(_)) => {
            Err(Report::new(ReportKind::Invalid, format!("`{name}` is the beginning of several volumes' names")))
        }
        _ => Err(missing()),
    }
}

fn missing(typed: &str) -> Report {
    Report::new(ReportKind::NotFound(Thing::Volume), format!("no such volume: {}", typed.escape_debug()))
}

/// Whether there is a volume of this name, even a damaged one.
pub(crate) fn volume_exists(context: &Context, name: &str) -> Result<bool, Report> {
    match find(&context.store_to_read()?, name) {
        Ok(_) => Ok(true),
        Err(report) if matches!(report.kind, ReportKind::NotFound(Thing::Volume)) => Ok(false),
        Err(report) if report.kind == ReportKind::Damaged => Ok(true),
        Err(report) => Err(report),
    }
}

/// Which volumes to remove.
#[derive(Debug, Default)]
pub(crate) struct RemoveVolumes {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// All of them.
    pub(crate) all: bool,
    /// A missing one is no failure.
    pub(crate) force: bool,
    /// With the containers that use them.
    pub(crate) with_users: bool,
    /// Nobody used them when they were looked for: one that is gone or in use by now is no failure.
    pub(crate) only_unused: bool,
    /// Seconds between the stop signal and SIGKILL for these containers.
    pub(crate) timeout: Option<u32>,
}

/// Removes volumes, and everything that killed processes left in the store.
pub(crate) fn remove_volumes(
    context: &Context,
    request: &RemoveVolumes,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = context.store()?;
    let names = match request.all {
        true => {
            let found = store.list_volumes()?;
            let readable = found.volumes.into_iter().map(|volume| volume.record.name);
            readable.chain(found.damaged.into_iter().map(|(name, _)| name)).map(|name| name.to_string()).collect()
        }
        false => request.names.clone(),
    };
    for name in names {
        let removed = remove_one(context, store, &name, request);
        let removed = tolerate(removed, Thing::Volume, request.force, request.only_unused);
        if observer.item(&name, removed).is_break() {
            break;
        }
    }
    sweep_all(context)
}

fn remove_one(context: &Context, store: &Store, typed: &str, request: &RemoveVolumes) -> Result<bool, Report> {
    let name = match find(store, typed) {
        Ok(volume) => {
            // No start can be under way that uses it.
            let Some(_lock) = volume.lock()? else { return Ok(false) };
            return remove_locked(context, store, &volume.record.name, request);
        }
        Err(report) if matches!(report.kind, ReportKind::NotFound(Thing::Volume) | ReportKind::Invalid) => {
            return Err(report);
        }
        // Its record cannot be read.
        Err(_) => typed.parse::<Name>()?,
    };
    remove_locked(context, store, &name, request)
}

fn remove_locked(context: &Context, store: &Store, name: &Name, request: &RemoveVolumes) -> Result<bool, Report> {
    let users: Vec<Container> =
        container::list(store)?.containers.into_iter().filter(|container| uses(container, name)).collect();
    if !request.with_users && !users.is_empty() {
        let by: Vec<String> = users.iter().map(|user| format!("`{}`", user.config.name)).collect();
        let message = format!("the volume `{name}` is in use by {}", by.join(", "));
        let hint = "remove the containers first, as `rc volume rm --force` does";
        return Err(Report::new(ReportKind::InUse, message).with_hint(hint));
    }
    remove_users(context, store, users, request.timeout)?;
    let is_removed = store.remove_volume(name)?;
    if is_removed {
        happened::to_volume(store, "remove", name.as_str());
    }
    Ok(is_removed)
}

/// The names of the volumes that no container uses and that match the filters. Fails if a container is damaged: it may
/// use any of them.
pub(crate) fn unused_volumes(context: &Context, filters: &[String]) -> Result<Vec<String>, Report> {
    if let Some((id, _)) = container::list(&context.store_to_read()?)?.broken.first() {
        let message = format!("container `{}` is damaged, and may use any volume", id.short());
        let hint = format!("remove it with `rc rm {}`", id.short());
        return Err(Report::new(ReportKind::Damaged, message).with_hint(hint));
    }
    let (found, _) = volumes(context, filters)?;
    let unused = found.into_iter().filter(|listed| listed.users == 0);
    Ok(unused.map(|listed| listed.volume.record.name.to_string()).collect())
}

/// The directory with a volume's files. Fails for a tmpfs, which has none while no container runs.
pub(crate) fn volume_directory(context: &Context, name: &str) -> Result<PathBuf, Report> {
    let ListedVolume { volume, mountpoint, .. } = volume(context, name)?;
    if LocalVolume::parse(&volume.record.options)?.is_tmpfs() {
        let message = format!("the volume `{}` is a tmpfs, which each container gets for itself", volume.record.name);
        let hint = "copy files to and from a running container with `rc cp`";
        return Err(Report::new(ReportKind::Unsupported, message).with_hint(hint));
    }
    Ok(mountpoint)
}

/// Writes the files of a volume to an archive.
pub(crate) fn export_volume(context: &Context, name: &str, output: impl Write) -> Result<LeftOut, Report> {
    let directory = volume_directory(context, name)?;
    let home = UserNamespace::open(&context.ids()?, &context.runtime_dir()?)?;
    // By descriptor from here on: nothing that a container does in the volume leads elsewhere.
    let directory = fs::open_directory(&directory)?;
    userns::inside(&home, "rc: export", || {
        let contents = Contents::Files { stay: false };
        let how = Pack { name: b".", contents, owner: Owner::Own };
        pack::pack(directory.as_fd(), OsStr::new("."), &how, BufWriter::with_capacity(256 << 10, output))
    })
}

/// Unpacks an archive into a volume; what it does not name stays. Returns how many device files were skipped.
pub(crate) fn import_volume(context: &Context, name: &str, archive: File) -> Result<u64, Report> {
    let store = context.store()?;
    let directory = volume_directory(context, name)?;
    let volume = find(store, name)?;
    let ids = context.ids()?;
    let home = UserNamespace::open(&ids, &context.runtime_dir()?)?;
    // The image's files are not copied over these: neither by a start that is under way, nor by a later one.
    let lock = volume.lock()?.ok_or_else(|| missing(name))?;
    let directory = fs::open_directory(&directory)?;
    volume.mark_used()?;
    drop(lock);
    let owners = if ids.is_single() { Owners::Me } else { Owners::Archive(ids.users(), ids.groups()) };
    userns::inside(&home, "rc: import", || {
        let decoder = decompress(archive).map_err(|error| unpack::Error::Archive(error.into()))?;
        let mut archive = Reader::new(BufReader::with_capacity(256 << 10, decoder));
        let how = Unpack { base: Path::new(""), rename: None, top: None, owners, overwrite: true };
        let skipped = unpack::unpack(directory.as_fd(), &mut archive, &how)?;
        archive.finish().map_err(unpack::Error::Archive)?;
        Ok::<_, unpack::Error>(skipped)
    })
}
