//! With one ID: the ID that the container shows it as. rc must know it before it writes the map, and so before there is
//! a container, although only the container's files may have the name.
//!
//! ```text
//! stage ── fork ─→ reader   a mount namespace of its own; layers and upper directory as one overlay; passwd, group
//!    ↑ IDs or failure as JSON │
//!    └────────────────────────┘   its exit removes the mount
//! ```

use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;

use super::sync::Step as _;
use super::users::{self, ResolvedUser};
use super::{Failure, Launch, Rootfs, rootfs};
use crate::sys::mount;
use crate::sys::process::{CloneOptions, fork};
use crate::types::json;

/// The user and the group ID of the program, as in the container's files.
type Ids = (u32, u32);

/// Runs in the stage process, which is root in the root namespace. With a range of IDs, all of them are shown
/// unchanged.
pub(super) fn ids(launch: &Launch<'_>) -> Result<Ids, Failure> {
    if !launch.ids.is_single() {
        return Ok((0, 0));
    }
    let process = launch.spec.process().as_ref();
    let user = process.and_then(|process| process.user().username().clone()).unwrap_or_default();
    if let Some(ids) = numbers(&user) {
        return Ok(ids);
    }
    match &launch.rootfs {
        Rootfs::Detached { mount, .. } => look_up(mount.as_fd(), &user),
        Rootfs::Directory { path, .. } => look_up(rootfs::reference(path)?.as_fd(), &user),
        Rootfs::Overlay { layers, directory, .. } => in_a_child(&user, || {
            mount::isolate_propagation().step("isolate mounts")?;
            rootfs::view(layers, directory)
        }),
    }
}

/// The IDs that need no file: an empty user and 0 are root, and `UID:GID` in digits is itself.
fn numbers(user: &str) -> Option<Ids> {
    match user.split_once(':') {
        None if user.is_empty() || user == "0" => Some((0, 0)),
        None => None,
        Some((user, group)) => Some((user.parse().ok()?, group.parse().ok()?)),
    }
}

fn look_up(root: BorrowedFd<'_>, user: &str) -> Result<Ids, Failure> {
    match users::look_up(root, user, &[]) {
        Ok(ResolvedUser { uid, gid, .. }) => Ok((uid, gid)),
        Err(error) => Err(Failure::of(error)),
    }
}

/// Looks the user up in what `root` mounts, in a mount namespace without other processes.
fn in_a_child(user: &str, root: impl FnOnce() -> Result<OwnedFd, Failure>) -> Result<Ids, Failure> {
    let (answer, theirs) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(std::io::Error::from).step("create a pipe")?;
    let options = CloneOptions { flags: Some(CloneFlags::CLONE_NEWNS), cgroup: None };
    let child = fork(&options, || {
        let found = root().and_then(|root| look_up(root.as_fd(), user));
        // An answer fits into the pipe's buffer.
        let written = serde_json::to_vec(&found).map(|answer| rustix::io::write(&theirs, &answer));
        i32::from(!matches!(written, Ok(Ok(_))))
    })
    .step("create a mount namespace")?;
    drop(theirs);
    let mut bytes = Vec::new();
    std::fs::File::from(answer).read_to_end(&mut bytes).step("read the answer about the user")?;
    child.wait().step("wait for a child")?;
    json::from_slice(&bytes).unwrap_or_else(|_| Err(Failure::internal("cannot look up the user")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_need_no_file() {
        assert_eq!(numbers(""), Some((0, 0)));
        assert_eq!(numbers("0"), Some((0, 0)));
        assert_eq!(numbers("1000:5"), Some((1000, 5)));
        for user in ["1000", "www-data", "0:users", "www-data:0", "root"] {
            assert_eq!(numbers(user), None, "{user}");
        }
    }
}
