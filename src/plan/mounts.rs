//! `--volume` and `--tmpfs`, and all mounts of a container together.

use std::path::{Path, PathBuf};

use super::paths::{clean, is_within};
use super::{Error, Facts, ImageDefaults, Mount, MountKind, Request, volumes};
use crate::types::{Invalid, Name, parse_size};

/// Files of `/proc` that a mount may hide, because they only inform (lxcfs). Anything else there would let the caller's
/// files pose as the kernel's. Source: runc `checkProcMount`.
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

/// The directories that stay writable under `--read-only`, with their modes. Source: podman-run(1), `--read-only-tmpfs`.
const WRITABLE: [(&str, &str); 3] = [("/run", "mode=755"), ("/tmp", "mode=1777"), ("/var/tmp", "mode=1777")];

/// Every further mount, parents before children. A destination asked for twice is an error; one asked for hides the
/// image's volume and the tmpfs of `--read-only` there.
pub(super) fn mounts(request: &Request, image: &ImageDefaults, facts: &Facts<'_>) -> Result<Vec<Mount>, Error> {
    let mut mounts: Vec<Mount> = Vec::new();
    for text in &request.volumes {
        let mount = volume(text, facts).map_err(Error::option("--volume"))?;
        add_asked(&mut mounts, mount)?;
    }
    for text in &request.tmpfs {
        let mount = tmpfs(text).map_err(Error::option("--tmpfs"))?;
        add_asked(&mut mounts, mount)?;
    }
    for path in &image.volumes {
        let destination = volumes::destination(path).map_err(|source| Error::Image { source })?;
        add_unless_there(&mut mounts, volumes::anonymous(destination, facts));
    }
    if request.read_only && request.read_only_tmpfs != Some(false) {
        for (destination, mode) in WRITABLE {
            let options = ["nosuid", "nodev", mode].map(str::to_owned).to_vec();
            let mount =
                Mount { kind: MountKind::Tmpfs, destination: destination.to_owned(), read_only: false, options };
            add_unless_there(&mut mounts, mount);
        }
    }
    mounts.sort_by_key(|mount| mount.destination.matches('/').count());
    Ok(mounts)
}

fn add_asked(mounts: &mut Vec<Mount>, mount: Mount) -> Result<(), Error> {
    if mounts.iter().any(|other| other.destination == mount.destination) {
        return Err(Error::DestinationTwice { destination: mount.destination });
    }
    mounts.push(mount);
    Ok(())
}

fn add_unless_there(mounts: &mut Vec<Mount>, mount: Mount) {
    if !mounts.iter().any(|other| other.destination == mount.destination) {
        mounts.push(mount);
    }
}

/// `--volume [SOURCE:]DESTINATION[:OPTIONS]`. A source with a `/`, or one that is `.` or `..`, is a path of the host,
/// relative to the caller's directory; any other is a volume's name; none is an anonymous volume.
fn volume(text: &str, facts: &Facts<'_>) -> Result<Mount, Invalid> {
    let invalid = |reason: &str| Invalid::new("volume", text, reason);
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match *parts.as_slice() {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, options] => (Some(source), target, options),
        _ => return Err(invalid("must be [SOURCE:]DESTINATION[:OPTIONS]")),
    };
    let destination = destination("volume", text, target)?;
    let kind = match source {
        None => return Ok(volumes::anonymous(destination, facts)),
        Some("") => return Err(invalid("the source is empty")),
        Some(path) if path.contains('/') || path == "." || path == ".." => {
            MountKind::Bind { source: host_path(path, &facts.working_dir) }
        }
        Some(name) => {
            let name: Name = name.parse().map_err(|error: Invalid| {
                invalid(&format!("the source is not a volume name ({}); a path is written `./{name}`", error.reason))
            })?;
            MountKind::Volume { name, anonymous: false }
        }
    };
    let is_volume = matches!(kind, MountKind::Volume { .. });
    let mut mount = Mount { kind, destination, read_only: false, options: Vec::new() };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => mount.read_only = true,
            "rw" => mount.read_only = false,
            "nocopy" if !is_volume => return Err(invalid("`nocopy` is for volumes")),
            "U" => return Err(invalid("the owner of a source cannot be changed (`U`)")),
            "O" => return Err(invalid("an overlay on the source (`O`) is not supported")),
            // Labels of SELinux: where there is none they mean nothing, as with docker and podman.
            "z" | "Z" => {}
            "nocopy" | "exec" | "noexec" | "dev" | "nodev" | "suid" | "nosuid" | "bind" | "rbind" | "private"
            | "rprivate" | "slave" | "rslave" | "shared" | "rshared" => mount.options.push(option.to_owned()),
            _ => return Err(invalid(&format!("unknown option `{}`", option.escape_debug()))),
        }
    }
    if let Some((one, other)) = contradiction(&mount.options) {
        return Err(invalid(&format!("`{one}` and `{other}` contradict each other")));
    }
    Ok(mount)
}

/// `--tmpfs DESTINATION[:OPTIONS]`; `noexec`, `nosuid` and `nodev` unless told otherwise. Source: podman-run(1).
fn tmpfs(text: &str) -> Result<Mount, Invalid> {
    let invalid = |reason: &str| Invalid::new("tmpfs", text, reason);
    let (target, asked) = text.split_once(':').unwrap_or((text, ""));
    let destination = destination("tmpfs", text, target)?;
    let mut read_only = false;
    let mut options: Vec<String> = Vec::new();
    for option in asked.split(',').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, value) {
            ("ro", "") => read_only = true,
            ("rw" | "notmpcopyup", "") => {}
            ("exec" | "noexec" | "dev" | "nodev" | "suid" | "nosuid", "") => options.push(option.to_owned()),
            // A share of the machine's memory (`50%`) is the kernel's to understand.
            ("size", value)
                if value.strip_suffix('%').is_some_and(|share| share.parse::<u8>().is_ok_and(|n| n <= 100)) =>
            {
                options.push(option.to_owned());
            }
            ("size", value) => {
                options.push(format!("size={}", parse_size(value).map_err(|error| invalid(&error.reason))?))
            }
            ("mode", value) if u32::from_str_radix(value, 8).is_ok_and(|mode| mode <= 0o7777) => {
                options.push(option.to_owned());
            }
            ("nr_inodes", value) => {
                options.push(format!("nr_inodes={}", parse_size(value).map_err(|error| invalid(&error.reason))?));
            }
            ("uid" | "gid", value) if value.parse::<u32>().is_ok_and(|id| id < u32::MAX) => {
                options.push(option.to_owned())
            }
            ("tmpcopyup", _) => return Err(invalid("`tmpcopyup` is not supported; a volume is filled from the image")),
            _ => return Err(invalid(&format!("unknown option `{}`", option.escape_debug()))),
        }
    }
    if let Some((one, other)) = contradiction(&options) {
        return Err(invalid(&format!("`{one}` and `{other}` contradict each other")));
    }
    for (off, on) in [("noexec", "exec"), ("nosuid", "suid"), ("nodev", "dev")] {
        if !options.iter().any(|option| option == off || option == on) {
            options.push(off.to_owned());
        }
    }
    Ok(Mount { kind: MountKind::Tmpfs, destination, read_only, options })
}

/// The cleaned path in the container: absolute, not the root, and not over what the kernel says of itself.
fn destination(what: &'static str, whole: &str, text: &str) -> Result<String, Invalid> {
    let invalid = |reason: &str| Invalid::new(what, whole, reason);
    let path = clean(text).ok_or_else(|| invalid("the destination must be an absolute path"))?;
    if path == "/" {
        return Err(invalid("nothing can be mounted over the root"));
    }
    if is_within(&path, "/proc") && !PROC_FILES.contains(&path.as_str()) {
        return Err(invalid("nothing can be mounted over /proc"));
    }
    Ok(path)
}

/// The absolute path of `path`, which may be relative to `working_dir`.
fn host_path(path: &str, working_dir: &Path) -> PathBuf {
    // `./x` and `.` read better without the dot; `..` stays, because the kernel must resolve it after symlinks.
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.is_empty() || path == "." { working_dir.to_owned() } else { working_dir.join(path) }
}

/// Two options that cannot both hold.
fn contradiction(options: &[String]) -> Option<(&str, &str)> {
    const GROUPS: [&[&str]; 5] = [
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
