//! Mounts without a source: filesystems in memory, and one of terminals.

use crate::plan::{Error, Mount, MountKind, MountRequest};
use crate::types::parse_size;

/// What mounts in memory are without, unless an option says otherwise. Source: podman-run(1), `--tmpfs`.
const DEFAULTS: [(&str, &str); 3] = [("noexec", "exec"), ("nosuid", "suid"), ("nodev", "dev")];

impl MountRequest {
    /// A tmpfs with its options; `noexec`, `nosuid` and `nodev` by default.
    pub(super) fn tmpfs(&self, destination: String) -> Result<Mount, Error> {
        let size = |value: &str| parse_size(value).map_err(|error| self.invalid(&error.reason));
        self.in_memory(MountKind::Tmpfs, destination, |option, name, value| match (name, value) {
            // The kernel itself reads a share of the host's memory (`50%`).
            ("size", share) if share.strip_suffix('%').is_some_and(|n| n.parse::<u8>().is_ok_and(|n| n <= 100)) => {
                Ok(Some(option.to_owned()))
            }
            ("size" | "nr_inodes", value) => Ok(Some(format!("{name}={}", size(value)?))),
            ("mode", mode) if is_mode(mode) => Ok(Some(option.to_owned())),
            ("uid" | "gid", id) if is_id(id) => Ok(Some(option.to_owned())),
            _ => Ok(None),
        })
    }

    /// A ramfs, which nothing limits and which is never swapped out. Source: kernel, ramfs-rootfs-initramfs.rst.
    pub(super) fn ramfs(&self, destination: String) -> Result<Mount, Error> {
        self.in_memory(MountKind::Ramfs, destination, |option, name, value| match (name, value) {
            ("size" | "nr_inodes", _) => Err(self.invalid("a ramfs has no limit of its size: use `type=tmpfs`")),
            ("mode", mode) if is_mode(mode) => Ok(Some(option.to_owned())),
            _ => Ok(None),
        })
    }

    /// A filesystem with terminals of its own. Source: podman-run(1), `--mount`; kernel, devpts.rst.
    pub(super) fn devpts(&self, destination: String) -> Result<Mount, Error> {
        let options = ["nosuid", "noexec", "newinstance", "ptmxmode=0666"].map(str::to_owned).to_vec();
        let mut mount = Mount { kind: MountKind::Devpts, destination, read_only: false, options };
        for option in &self.options {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match (name, value) {
                ("ro", "") => mount.read_only = true,
                ("rw", "") => {}
                ("mode", mode) if is_mode(mode) => mount.options.push(option.clone()),
                ("uid" | "gid", id) if is_id(id) => mount.options.push(option.clone()),
                ("max", count) if count.parse::<u32>().is_ok() => mount.options.push(option.clone()),
                _ => return Err(self.unknown(option)),
            }
        }
        Ok(mount)
    }

    /// A mount with the options of all filesystems in memory, and `own` ones.
    fn in_memory(
        &self,
        kind: MountKind,
        destination: String,
        own: impl Fn(&str, &str, &str) -> Result<Option<String>, Error>,
    ) -> Result<Mount, Error> {
        let mut mount = Mount { kind, destination, read_only: false, options: Vec::new() };
        for option in &self.options {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match (name, value) {
                ("ro", "") => mount.read_only = true,
                ("rw" | "notmpcopyup", "") => {}
                // The image's files at that place are copied into it, and it gets the program's user as its owner.
                ("tmpcopyup" | "U" | "exec" | "noexec" | "dev" | "nodev" | "suid" | "nosuid", "") => {
                    mount.options.push(option.clone());
                }
                _ => match own(option, name, value)? {
                    Some(option) => mount.options.push(option),
                    None => return Err(self.unknown(option)),
                },
            }
        }
        for (off, on) in DEFAULTS {
            if !mount.options.iter().any(|option| option == off || option == on) {
                mount.options.push(off.to_owned());
            }
        }
        Ok(mount)
    }
}

fn is_mode(text: &str) -> bool {
    u32::from_str_radix(text, 8).is_ok_and(|mode| mode <= 0o7777)
}

fn is_id(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|id| id < u32::MAX)
}
