//! Mounts that show files: of the host, or of a volume.

use std::collections::BTreeMap;
use std::path::Path;

use super::overlay::Overlay;
use super::{Sources, volumes};
use crate::plan::config::VolumeSettings;
use crate::plan::paths::host_path;
use crate::plan::request::MountRequestKind;
use crate::plan::{Error, LocalVolume, Mount, MountKind, MountRequest};
use crate::types::Invalid;

impl MountRequest {
    /// A bind or a volume.
    pub(super) fn shown(
        &self,
        destination: String,
        source: Option<&str>,
        sources: &mut Sources<'_>,
    ) -> Result<Mount, Error> {
        let kind = match (self.kind, source) {
            (MountRequestKind::Volume, None) => volumes::anonymous(destination.clone(), &mut sources.names)?.kind,
            (_, None | Some("")) => return Err(self.invalid("the source is empty")),
            (_, Some(source)) if source.contains('\0') => return Err(self.invalid("the source contains a NUL byte")),
            (MountRequestKind::Volume, Some(name)) => {
                let refused = |error: Invalid| {
                    let reason = error.reason;
                    self.invalid(&format!("the source is not a volume name ({reason}); a path is written `./{name}`"))
                };
                let name = name.parse().map_err(refused)?;
                MountKind::Volume { name, anonymous: false, settings: VolumeSettings::default() }
            }
            (_, Some(path)) if is_descriptor(path) => return Err(self.invalid(DESCRIPTOR)),
            (_, Some(path)) => MountKind::Bind { source: host_path(path, sources.working_dir) },
        };
        self.with_options(kind, destination, sources.working_dir)
    }

    fn with_options(&self, kind: MountKind, destination: String, working_dir: &Path) -> Result<Mount, Error> {
        let is_volume = self.kind == MountRequestKind::Volume;
        let mut mount = Mount { kind, destination, read_only: false, options: Vec::new() };
        let mut overlay = Overlay::default();
        for option in &self.options {
            if overlay.takes(option, working_dir) || is_of_new_volume(option, &mut mount.kind) {
                continue;
            }
            match option.as_str() {
                "ro" => mount.read_only = true,
                "rw" => mount.read_only = false,
                "nocopy" if !is_volume => return Err(self.invalid("`nocopy` is for volumes")),
                "no-dereference" if is_volume => return Err(self.invalid("`no-dereference` is for files of the host")),
                "chown" => mount.options.push("U".to_owned()),
                // They have no effect, as in docker and podman: SELinux labels without SELinux, and how far Docker
                // Desktop may cache a Mac's files.
                "z" | "Z" | "cached" | "delegated" | "consistent" => {}
                "copy" if is_volume => {}
                text if text.starts_with("subpath=") => mount.options.push(self.subpath(text)?),
                text if text == "idmap" || text.starts_with("idmap=") => {
                    return Err(self.invalid("a mount cannot have an ID map of its own: only root may make one"));
                }
                "U" | "nocopy" | "no-dereference" | "exec" | "noexec" | "dev" | "nodev" | "suid" | "nosuid"
                | "bind" | "rbind" | "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared"
                | "unbindable" | "runbindable" => mount.options.push(option.clone()),
                _ => return Err(self.unknown(option)),
            }
        }
        if let MountKind::Volume { settings, .. } = &mount.kind {
            self.check_new_volume(&settings.options)?;
        }
        mount.options.extend(overlay.options().map_err(|reason| self.invalid(reason))?);
        Ok(mount)
    }

    /// A path below the source, which the runtime follows no further than the source.
    pub(super) fn subpath(&self, option: &str) -> Result<String, Error> {
        let path = option.trim_start_matches("subpath=");
        let is_below = !path.is_empty() && !path.split('/').any(|part| part == "..") && !path.contains('\0');
        let path = path.trim_matches('/');
        if is_below && !path.is_empty() {
            return Ok(format!("subpath={path}"));
        }
        Err(self.invalid("`subpath` must be a path below the source, without `..`"))
    }

    fn check_new_volume(&self, options: &BTreeMap<String, String>) -> Result<(), Error> {
        match LocalVolume::parse(options) {
            Ok(LocalVolume::Directory { uid, gid, .. }) if uid.or(gid).is_some() => {
                Err(self.invalid("a volume with an owner is made by `rc volume create --opt o=uid=…`"))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.invalid(&error.to_string())),
        }
    }
}

/// Takes an option for a volume that does not exist yet. Source: docker-run(1), `--mount`, `volume-opt`.
fn is_of_new_volume(option: &str, kind: &mut MountKind) -> bool {
    let MountKind::Volume { settings, .. } = kind else { return false };
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    if let Some(label) = option.strip_prefix("volume-label=") {
        settings.labels.extend([pair(label)]);
    } else if let Some(asked) = option.strip_prefix("volume-opt=") {
        settings.options.extend([pair(asked)]);
    } else {
        return false;
    }
    true
}

/// Why a descriptor cannot be mounted. What a container shows must be there at its next start, too.
const DESCRIPTOR: &str = "it names a descriptor of this command, which ends before the container does: use a file or a \
                          FIFO, or pass it on with `--preserve-fd`";

/// Whether a path leads to a descriptor of the process that opens it. Source: proc_pid_fd(5).
pub(super) fn is_descriptor(path: &str) -> bool {
    let directories = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"];
    let number = directories.iter().find_map(|directory| path.strip_prefix(directory));
    let is_number = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    is_number || matches!(path, "/dev/stdin" | "/dev/stdout" | "/dev/stderr")
}
