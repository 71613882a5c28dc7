//! `--volume` and `--tmpfs`: their grammars, what they and `--mount` mean, and all mounts of a container together.

use std::fmt;
use std::path::{Path, PathBuf};

use super::paths::{clean, is_within};
use super::request::MountRequestKind;
use super::{Error, Facts, ImageDefaults, Mount, MountKind, MountRequest, Request, volumes, volumes_from};
use crate::types::{Invalid, Name, parse_size};

/// Files of `/proc` that a mount may hide, because they only inform (lxcfs). Other files of the caller there would
/// pass for the kernel's. Source: runc `checkProcMount`.
const PROC_FILES: [&str; 9] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
];

/// The directories that stay writable under `--read-only`, with their modes. Source: podman-run(1),
/// `--read-only-tmpfs`.
const WRITABLE: [(&str, &str); 3] = [("/run", "mode=755"), ("/tmp", "mode=1777"), ("/var/tmp", "mode=1777")];

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
        };
        Error::option(option)(Invalid::new(what, self.to_string(), reason))
    }

    /// The mount, complete. An anonymous volume gets the next of the names.
    pub(super) fn resolve<'a>(
        &self,
        working_dir: &Path,
        names: &mut impl Iterator<Item = &'a Name>,
    ) -> Result<Mount, Error> {
        let destination = destination(&self.destination).map_err(|reason| self.invalid(reason))?;
        if let Some((one, other)) = contradiction(&self.options) {
            return Err(self.invalid(&format!("`{one}` and `{other}` contradict each other")));
        }
        let kind = match (self.kind, self.source.as_deref()) {
            (MountRequestKind::Tmpfs, None) => return self.tmpfs(destination),
            (MountRequestKind::Tmpfs, Some(_)) => return Err(self.invalid("a tmpfs cannot have a source")),
            (MountRequestKind::Volume, None) => volumes::anonymous(destination.clone(), names)?.kind,
            (MountRequestKind::Bind, None) | (_, Some("")) => return Err(self.invalid("the source is empty")),
            (_, Some(source)) if source.contains('\0') => return Err(self.invalid("the source contains a NUL byte")),
            (MountRequestKind::Bind, Some(path)) if is_descriptor(path) => return Err(self.invalid(DESCRIPTOR)),
            (MountRequestKind::Bind, Some(path)) => MountKind::Bind { source: host_path(path, working_dir) },
            (MountRequestKind::Volume, Some(name)) => {
                let refused = |error: Invalid| {
                    let reason = error.reason;
                    self.invalid(&format!("the source is not a volume name ({reason}); a path is written `./{name}`"))
                };
                MountKind::Volume { name: name.parse().map_err(refused)?, anonymous: false }
            }
        };
        self.shown(kind, destination)
    }

    /// A bind or a volume with its options.
    fn shown(&self, kind: MountKind, destination: String) -> Result<Mount, Error> {
        let is_volume = self.kind == MountRequestKind::Volume;
        let mut mount = Mount { kind, destination, read_only: false, options: Vec::new() };
        for option in &self.options {
            match option.as_str() {
                "ro" => mount.read_only = true,
                "rw" => mount.read_only = false,
                "nocopy" if !is_volume => return Err(self.invalid("`nocopy` is for volumes")),
                "chown" => mount.options.push("U".to_owned()),
                "O" => return Err(self.invalid("an overlay on the source (`O`) is not supported")),
                // They have no effect, as in docker and podman: SELinux labels without SELinux, and how far Docker
                // Desktop may cache a Mac's files.
                "z" | "Z" | "cached" | "delegated" | "consistent" => {}
                "copy" if is_volume => {}
                text if text.starts_with("subpath=") => mount.options.push(self.subpath(text)?),
                "idmap" => return Err(self.invalid("a mount cannot have an ID map of its own: only root may make one")),
                text if text.starts_with("upperdir=") || text.starts_with("workdir=") => {
                    return Err(
                        self.invalid("`upperdir` and `workdir` are for an overlay (`O`), which is not supported")
                    );
                }
                "U" | "nocopy" | "exec" | "noexec" | "dev" | "nodev" | "suid" | "nosuid" | "bind" | "rbind"
                | "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" => {
                    mount.options.push(option.clone())
                }
                _ => return Err(self.unknown(option)),
            }
        }
        Ok(mount)
    }

    /// A path below the source, which the runtime follows no further than the source.
    fn subpath(&self, option: &str) -> Result<String, Error> {
        let path = option.trim_start_matches("subpath=");
        let is_below = !path.is_empty() && !path.split('/').any(|part| part == "..") && !path.contains('\0');
        let path = path.trim_matches('/');
        if is_below && !path.is_empty() {
            return Ok(format!("subpath={path}"));
        }
        Err(self.invalid("`subpath` must be a path below the source, without `..`"))
    }

    /// A tmpfs with its options; `noexec`, `nosuid` and `nodev` by default. Source: podman-run(1).
    fn tmpfs(&self, destination: String) -> Result<Mount, Error> {
        let size = |value: &str| parse_size(value).map_err(|error| self.invalid(&error.reason));
        let mut mount = Mount { kind: MountKind::Tmpfs, destination, read_only: false, options: Vec::new() };
        let options = &mut mount.options;
        for option in &self.options {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match (name, value) {
                ("ro", "") => mount.read_only = true,
                ("rw" | "notmpcopyup", "") => {}
                // The image's files at that place are copied into it. Source: podman-run(1), `--mount`.
                ("tmpcopyup", "") => options.push(option.clone()),
                ("exec" | "noexec" | "dev" | "nodev" | "suid" | "nosuid", "") => options.push(option.clone()),
                // The kernel itself reads a share of the host's memory (`50%`).
                ("size", value)
                    if value.strip_suffix('%').is_some_and(|share| share.parse::<u8>().is_ok_and(|n| n <= 100)) =>
                {
                    options.push(option.clone());
                }
                ("size" | "nr_inodes", value) => options.push(format!("{name}={}", size(value)?)),
                ("mode", value) if u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o7777) => {
                    options.push(option.clone());
                }
                ("uid" | "gid", value) if value.parse::<u32>().is_ok_and(|id| id < u32::MAX) => {
                    options.push(option.clone());
                }
                _ => return Err(self.unknown(option)),
            }
        }
        for (off, on) in [("noexec", "exec"), ("nosuid", "suid"), ("nodev", "dev")] {
            if !mount.options.iter().any(|option| option == off || option == on) {
                mount.options.push(off.to_owned());
            }
        }
        Ok(mount)
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
pub(super) fn mounts(request: &Request, image: &ImageDefaults, facts: &Facts) -> Result<Vec<Mount>, Error> {
    let mut names = facts.found.volume_names.iter();
    let mut mounts: Vec<Mount> = Vec::new();
    for asked in &request.mounts {
        let mount = asked.resolve(&facts.working_dir, &mut names)?;
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
            mounts.extend(image_volume(request, destination, &mut names)?);
        }
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

/// The cleaned path in the container: absolute, not the root, and not over the kernel's own files.
fn destination(text: &str) -> Result<String, &'static str> {
    let path = clean(text).ok_or("the destination must be an absolute path")?;
    if path == "/" {
        return Err("nothing can be mounted over the root");
    }
    if is_within(&path, "/proc") && !PROC_FILES.contains(&path.as_str()) {
        return Err("nothing can be mounted over /proc");
    }
    Ok(path)
}

/// The absolute path of `path`, which may be relative to `working_dir`.
fn host_path(path: &str, working_dir: &Path) -> PathBuf {
    // `./x` and `.` read better without the dot; `..` stays, because the kernel must resolve it after symlinks.
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.is_empty() || path == "." { working_dir.to_owned() } else { working_dir.join(path) }
}

/// Why a descriptor cannot be mounted. What a container shows must be there at its next start, too.
const DESCRIPTOR: &str = "it names a descriptor of this command, which ends before the container does: use a file or a \
                          FIFO, or pass it on with `--preserve-fd`";

/// Whether a path leads to a descriptor of the process that opens it. Source: proc_pid_fd(5).
fn is_descriptor(path: &str) -> bool {
    let directories = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"];
    let number = directories.iter().find_map(|directory| path.strip_prefix(directory));
    let is_number = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    is_number || matches!(path, "/dev/stdin" | "/dev/stdout" | "/dev/stderr")
}

/// Two options that exclude each other.
fn contradiction(options: &[String]) -> Option<(&str, &str)> {
    const GROUPS: [&[&str]; 6] = [
        &["ro", "rw"],
        &["exec", "noexec"],
        &["dev", "nodev"],
        &["suid", "nosuid"],
        &["bind", "rbind"],
        &["private", "rprivate", "slave", "rslave", "shared", "rshared"],
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
