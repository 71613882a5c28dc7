//! `--volume` and `--tmpfs`: their grammars, what they and `--mount` mean, and all mounts of a container together.

mod glob;
mod image;
mod memory;
mod overlay;
mod shown;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::request::MountRequestKind;
use super::{
    Error, Facts, ImageDefaults, ImageSource, Mount, MountKind, MountRequest, Request, first_process, volumes,
    volumes_from,
};
use crate::types::container_path::mount_destination;
use crate::types::{Invalid, Name};

/// The directories that stay writable under `--read-only`, with their modes. Source: podman-run(1),
/// `--read-only-tmpfs`.
const WRITABLE: [(&str, &str); 3] = [("/run", "mode=755"), ("/tmp", "mode=1777"), ("/var/tmp", "mode=1777")];

/// What the sources of mounts are found by.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// Where relative paths of the host begin.
    pub(super) working_dir: &'a Path,
    /// Names for anonymous volumes.
    pub(super) names: std::slice::Iter<'a, Name>,
    /// Images by the names that were typed.
    pub(super) images: &'a BTreeMap<String, ImageSource>,
}

impl MountRequest {
    /// Reads `--volume [SOURCE:]DESTINATION[:OPTIONS]`. A source with a `/`, or one that is `.` or `..`, is a path of
    /// the host; any other is a volume's name; none is an anonymous volume.
    pub(crate) fn from_volume(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, destination, options) = match *parts.as_slice() {
            [destination] => (None, destination, ""),
            [source, destination] => (Some(source), destination, ""),
            [source, destination, options] => (Some(source), destination, options),
            _ => {
                let reason = "must be [SOURCE:]DESTINATION[:OPTIONS]";
                return Err(Error::option("--volume")(Invalid::new("volume", text, reason)));
            }
        };
        let is_path = |source: &str| source.contains('/') || source == "." || source == "..";
        let kind = if source.is_some_and(is_path) { MountRequestKind::Bind } else { MountRequestKind::Volume };
        Ok(Self {
            kind,
            source: source.map(str::to_owned),
            destination: destination.to_owned(),
            options: words(options),
        })
    }

    /// Reads `--tmpfs DESTINATION[:OPTIONS]`.
    pub(crate) fn from_tmpfs(text: &str) -> Self {
        let (destination, options) = text.split_once(':').unwrap_or((text, ""));
        let kind = MountRequestKind::Tmpfs;
        Self { kind, source: None, destination: destination.to_owned(), options: words(options) }
    }

    /// The error that refuses this mount for a reason.
    fn invalid(&self, reason: &str) -> Error {
        let (option, what) = match self.kind {
            MountRequestKind::Bind | MountRequestKind::Volume => ("--volume", "volume"),
            MountRequestKind::Tmpfs => ("--tmpfs", "tmpfs"),
            _ => ("--mount", "mount"),
        };
        Error::option(option)(Invalid::new(what, self.to_string(), reason))
    }

    /// The mount, complete. An anonymous volume gets the next of the names.
    pub(super) fn resolve(&self, sources: &mut Sources<'_>) -> Result<Mount, Error> {
        let destination = mount_destination(&self.destination).map_err(|reason| self.invalid(reason))?;
        if let Some((one, other)) = contradiction(&self.options) {
            return Err(self.invalid(&format!("`{one}` and `{other}` contradict each other")));
        }
        match (self.kind, self.source.as_deref()) {
            (MountRequestKind::Tmpfs, None) => self.tmpfs(destination),
            (MountRequestKind::Ramfs, None) => self.ramfs(destination),
            (MountRequestKind::Devpts, None) => self.devpts(destination),
            (MountRequestKind::Tmpfs | MountRequestKind::Ramfs | MountRequestKind::Devpts, Some(_)) => {
                Err(self.invalid(&format!("a {} cannot have a source", self.kind.as_str())))
            }
            (MountRequestKind::Image, source) => self.image(destination, source, sources),
            (_, source) => self.shown(destination, source, sources),
        }
    }

    fn unknown(&self, option: &str) -> Error {
        self.invalid(&format!("unknown option `{}`", option.escape_debug()))
    }
}

impl fmt::Display for MountRequest {
    /// In the grammar of `--volume` and `--tmpfs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}:")?;
        }
        f.write_str(&self.destination)?;
        if self.options.is_empty() { Ok(()) } else { write!(f, ":{}", self.options.join(",")) }
    }
}

/// The options in a list with commas.
fn words(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Every further mount, parents before children. The same destination twice is an error; a requested mount replaces
/// the image's volume and the tmpfs of `--read-only` there.
pub(super) fn mounts(
    request: &Request,
    image: &ImageDefaults,
    facts: &Facts,
    is_systemd: bool,
) -> Result<Vec<Mount>, Error> {
    let found = &facts.found;
    let (working_dir, names) = (facts.working_dir.as_path(), found.volume_names.iter());
    let mut sources = Sources { working_dir, names, images: &found.images };
    let mut mounts: Vec<Mount> = Vec::new();
    for asked in &glob::expanded(&request.mounts, &found.globs)? {
        let mount = asked.resolve(&mut sources)?;
        if is_mounted(&mounts, &mount.destination) {
            return Err(Error::DestinationTwice { destination: mount.destination });
        }
        mounts.push(mount);
    }
    for mount in volumes_from::mounts(request, facts)? {
        if !is_mounted(&mounts, &mount.destination) {
            mounts.push(mount);
        }
    }
    for path in &image.volumes {
        let destination = volumes::destination(path).map_err(|source| Error::Image { source })?;
        if !is_mounted(&mounts, &destination) {
            mounts.extend(image_volume(request, destination, &mut sources.names)?);
        }
    }
    if is_systemd {
        mounts.extend(first_process::mounts_for_systemd(&mounts));
    }
    if request.read_only && request.read_only_tmpfs != Some(false) {
        for (destination, mode) in WRITABLE {
            let options = ["nosuid", "nodev", mode, "tmpcopyup"].map(str::to_owned).to_vec();
            if !is_mounted(&mounts, destination) {
                let destination = destination.to_owned();
                mounts.push(Mount { kind: MountKind::Tmpfs, destination, read_only: false, options });
            }
        }
    }
    mounts.sort_by_key(|mount| mount.destination.matches('/').count());
    Ok(mounts)
}

/// What a volume of the image becomes. Source: podman-run(1), `--image-volume`.
fn image_volume<'a>(
    request: &Request,
    destination: String,
    names: &mut impl Iterator<Item = &'a Name>,
) -> Result<Option<Mount>, Error> {
    match request.image_volume.as_deref() {
        None | Some("bind" | "anonymous") => volumes::anonymous(destination, names).map(Some),
        Some("ignore") => Ok(None),
        Some("tmpfs") => {
            let options = ["nosuid", "nodev", "exec"].map(str::to_owned).to_vec();
            Ok(Some(Mount { kind: MountKind::Tmpfs, destination, read_only: false, options }))
        }
        Some(other) => {
            let reason = "must be bind, anonymous, tmpfs or ignore";
            Err(Error::option("--image-volume")(Invalid::new("mode", other, reason)))
        }
    }
}

fn is_mounted(mounts: &[Mount], destination: &str) -> bool {
    mounts.iter().any(|mount| mount.destination == destination)
}

/// How many anonymous volumes there are at most: requested mounts may replace some of the image's.
pub(super) fn count_anonymous(request: &Request, image: &ImageDefaults) -> usize {
    let is_anonymous = |mount: &&MountRequest| mount.kind == MountRequestKind::Volume && mount.source.is_none();
    request.mounts.iter().filter(is_anonymous).count() + image.volumes.len()
}

/// Two options that exclude each other.
fn contradiction(options: &[String]) -> Option<(&str, &str)> {
    const GROUPS: [&[&str]; 7] = [
        &["ro", "rw"],
        &["exec", "noexec"],
        &["dev", "nodev"],
        &["suid", "nosuid"],
        &["bind", "rbind"],
        &["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"],
        &["O", "nocopy"],
    ];
    GROUPS.iter().find_map(|group| {
        let mut found = options.iter().map(String::as_str).filter(|option| group.contains(option));
        let first = found.next()?;
        found.find(|other| *other != first).map(|other| (first, other))
    })
}

#[cfg(test)]
#[path = "mounts/tests.rs"]
mod tests;
