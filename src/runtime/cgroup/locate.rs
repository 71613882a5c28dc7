//! Where cgroup v2 is mounted, which cgroup this process is in, and whether that cgroup has been delegated to its user.

use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::directory::Directory;
use super::{Error, Own, SUPERVISOR};
use crate::sys::fs::{self, PathError};

/// `CGROUP2_SUPER_MAGIC` of linux/magic.h.
const CGROUP2: i64 = 0x6367_7270;

/// Where distributions mount it: alone, or beside version 1.
const USUAL: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// A mount of cgroup v2.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// The cgroup at its top; `/` unless only a part is mounted.
    top: String,
    point: PathBuf,
}

/// The cgroup of this process: its path, and the mount that shows it; `None` if there is none that can be used.
pub(super) fn here() -> Result<Option<(PathBuf, String)>, PathError> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    own_group(&text).map_or(Ok(None), place)
}

/// The cgroup that is delegated to this user: this process' own, or one above it in the same unit.
///
/// Without systemd, the own cgroup if it is writable. With systemd, the own cgroup if the system's manager has marked
/// it, or if this process is in a cgroup within a unit: only the user of the unit creates cgroups in it. The user's
/// manager marks nothing (systemd 257, `cgroup_xattr_apply`), so a unit's own cgroup may be delegated without a mark.
pub(super) fn delegated(mount: &Path, path: &str) -> Result<Option<Own>, PathError> {
    // rc may have moved itself, or the process that started it, to a leaf of the delegated cgroup.
    let parent = path.strip_suffix(SUPERVISOR).and_then(|parent| parent.strip_suffix('/'));
    for path in parent.map(|parent| if parent.is_empty() { "/" } else { parent }).into_iter().chain([path]) {
        if has_manager() && !is_marked(mount, path) && !(Some(path) == parent && is_in_user_unit(path)) {
            continue;
        }
        if let Some(own) = writable(mount, path)? {
            return Ok(Some(own));
        }
    }
    let Some((unit, _)) = path.rsplit_once('/').filter(|(unit, _)| has_manager() && is_user_unit(unit)) else {
        return Ok(None);
    };
    // `DelegateSubgroup=` with another name. If the unit's cgroup hands controllers down, its user manages its parts,
    // and a process in a part stays there.
    let directory = Directory::open(below(mount, unit))?;
    let is_divided = !directory.read("cgroup.subtree_control")?.trim().is_empty();
    writable(mount, if is_divided { path } else { unit })
}

/// Whether this user may move a process from the own cgroup to the cgroup `path`: that needs write access to
/// `cgroup.procs` of the nearest common ancestor. Source: cgroup-v2.rst, "Delegation Containment".
pub(super) fn can_reach(mount: &Path, path: &str) -> Result<bool, PathError> {
    let Some((own_mount, own)) = here()? else { return Ok(false) };
    let shared = own.split('/').zip(path.split('/')).take_while(|(a, b)| a == b).map(|(a, _)| a).collect::<Vec<_>>();
    let above = below(mount, &shared.join("/")).join("cgroup.procs");
    Ok(own_mount == mount && rustix::fs::access(above, Access::WRITE_OK).is_ok())
}

/// The cgroup, if this user may create cgroups in it.
pub(super) fn writable(mount: &Path, path: &str) -> Result<Option<Own>, PathError> {
    let directory = Directory::open(below(mount, path))?;
    Ok(is_writable(&directory).then(|| Own { directory, path: path.to_owned() }))
}

/// Whether the cgroup is that of a unit of the user's manager itself.
pub(super) fn is_user_unit(path: &str) -> bool {
    path.contains("/user@") && (path.ends_with(".service") || path.ends_with(".scope")) && !is_manager(path)
}

/// Whether the cgroup is in a unit of the user's manager, or is one.
fn is_in_user_unit(path: &str) -> bool {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]).any(is_user_unit)
}

/// Whether the cgroup is that of the user's manager, which owns everything below it and does not expect our cgroups.
fn is_manager(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with("user@"))
}

/// Whether systemd runs. Source: sd_booted(3).
pub(super) fn has_manager() -> bool {
    fs::metadata("/run/systemd/system").is_ok()
}

/// Opens the cgroup `path`, which is relative to the mount; `None` if there is no such cgroup.
pub(super) fn open(path: &str) -> Result<Option<Directory>, Error> {
    if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
        return Err(Error::Invalid { what: "path of a cgroup", value: path.to_owned() });
    }
    for point in usual().map(PathBuf::from).chain(other_mounts()?.into_iter().map(|mount| mount.point)) {
        match Directory::open(below(&point, path)) {
            Ok(directory) => return Ok(Some(directory)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// A mount of cgroup v2.
pub(super) fn mount_point() -> Result<Option<PathBuf>, PathError> {
    match usual().next() {
        Some(point) => Ok(Some(point.into())),
        None => Ok(other_mounts()?.into_iter().next().map(|mount| mount.point)),
    }
}

/// The mount that shows the cgroup `path`, which is relative to it.
pub(super) fn mount_with(path: &str) -> Result<Option<PathBuf>, PathError> {
    let points = usual().map(PathBuf::from).chain(other_mounts()?.into_iter().map(|mount| mount.point));
    Ok(points.into_iter().find(|point| rustix::fs::access(below(point, path), Access::EXISTS).is_ok()))
}

/// The mount that shows `group`, and the cgroup's path beneath it.
fn place(group: &str) -> Result<Option<(PathBuf, String)>, PathError> {
    for point in usual() {
        let point = PathBuf::from(point);
        if rustix::fs::access(below(&point, group), Access::EXISTS).is_ok() {
            return Ok(Some((point, group.to_owned())));
        }
    }
    Ok(other_mounts()?.into_iter().find_map(|mount| {
        let path = beneath(group, &mount.top)?;
        rustix::fs::access(below(&mount.point, &path), Access::EXISTS).ok()?;
        Some((mount.point, path))
    }))
}

fn usual() -> impl Iterator<Item = &'static str> {
    USUAL.into_iter().filter(|path| rustix::fs::statfs(*path).is_ok_and(|at| at.f_type == CGROUP2))
}

fn other_mounts() -> Result<Vec<Mount>, PathError> {
    Ok(fs::read_to_string("/proc/self/mountinfo")?.lines().filter_map(mount).collect())
}

fn below(mount: &Path, group: &str) -> PathBuf {
    mount.join(group.trim_start_matches('/'))
}

/// The cgroup of version 2 in `/proc/self/cgroup`; `None` if there is none, if it is outside our cgroup namespace, or
/// if it was removed: no cgroup can be created in it then.
pub(super) fn own_group(text: &str) -> Option<&str> {
    let group = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    (group.starts_with('/') && !group.starts_with("/..") && !group.ends_with(" (deleted)")).then_some(group)
}

/// The path of `group` in a mount whose top is the cgroup `top`.
fn beneath(group: &str, top: &str) -> Option<String> {
    let rest = if top == "/" { group } else { group.strip_prefix(top)? };
    match rest {
        "" => Some("/".to_owned()),
        rest => rest.starts_with('/').then(|| rest.to_owned()),
    }
}

/// A line of mountinfo, if it is one of cgroup v2. Source: proc_pid_mountinfo(5).
fn mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    if right.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = left.split(' ').skip(3);
    Some(Mount { top: unescape(fields.next()?), point: unescape(fields.next()?).into() })
}

/// mountinfo has space, tab, newline and backslash as `\040`.
fn unescape(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(field.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

/// Whether the service manager has marked the cgroup, or one above it within the same unit, as delegated.
///
/// A cgroup with a unit's name must have the mark itself: the user's manager owns everything below `user@UID.service`,
/// which is marked and writable, and does not expect our cgroups in a terminal's scope. Source: systemd's
/// CGROUP_DELEGATION.md; systemd.resource-control(5), `Delegate=`.
fn is_marked(mount: &Path, mut path: &str) -> bool {
    let privileged = rustix::process::geteuid().is_root();
    loop {
        let directory = below(mount, path);
        let has = |name: &str| {
            let mut value = [0; 2];
            matches!(rustix::fs::getxattr(&directory, name, &mut value), Ok(1)) && value[0] == b'1'
        };
        if has("user.delegate") || (privileged && has("trusted.delegate")) {
            return true;
        }
        let Some((parent, name)) = path.rsplit_once('/') else { return false };
        let is_unit = [".service", ".scope", ".slice"].iter().any(|kind| name.ends_with(kind));
        if is_unit || parent.is_empty() {
            return false;
        }
        path = parent;
    }
}

/// Whether this user may create cgroups in it, put processes there, and hand controllers down.
fn is_writable(directory: &Directory) -> bool {
    [".", "cgroup.procs", "cgroup.subtree_control"]
        .iter()
        .all(|name| rustix::fs::accessat(directory.fd(), *name, Access::WRITE_OK, rustix::fs::AtFlags::empty()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_version_2_is_found_beside_those_of_version_1() {
        for (text, expected) in [
            ("0::/user.slice/a.scope\n", Some("/user.slice/a.scope")),
            ("9:name=systemd:/\n4:memory:/x\n0::/\n", Some("/")),
            ("4:memory:/x\n", None),
            ("0::/../../other\n", None),
            ("0::/a (deleted)\n", None),
        ] {
            assert_eq!(own_group(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_unit_of_the_user_s_manager_is_told_from_the_manager_and_from_what_is_in_it() {
        let manager = "/user.slice/user-1.slice/user@1.service";
        for (path, is_unit, is_in_unit) in [
            ("", false, false),
            ("/app.slice", false, false),
            ("/app.slice/web.service", true, true),
            ("/app.slice/web.service/supervisor", false, true),
            ("/init.scope", true, true),
        ] {
            let path = format!("{manager}{path}");
            assert_eq!((is_user_unit(&path), is_in_user_unit(&path)), (is_unit, is_in_unit), "{path}");
        }
        for path in ["/user.slice/user-1.slice/session-3.scope", "/system.slice/cron.service/x", "/"] {
            assert!(!is_in_user_unit(path), "{path}");
        }
    }

    #[test]
    fn mounts_are_read_from_mountinfo() {
        let line = r"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        assert_eq!(mount(line), Some(Mount { top: "/".into(), point: "/sys/fs/cgroup/unified".into() }));
        let line = r"41 31 0:38 /docker/x /a\040b ro shared:1 master:2 - cgroup2 none rw,nsdelegate";
        assert_eq!(mount(line), Some(Mount { top: "/docker/x".into(), point: "/a b".into() }));
        assert_eq!(mount("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"), None);
    }

    #[test]
    fn a_group_s_path_is_relative_to_what_is_mounted() {
        for (group, top, expected) in [
            ("/a/b", "/", Some("/a/b")),
            ("/a/b", "/a", Some("/b")),
            ("/a", "/a", Some("/")),
            ("/ab", "/a", None),
            ("/c", "/a", None),
        ] {
            assert_eq!(beneath(group, top).as_deref(), expected, "{group} {top}");
        }
    }
}
