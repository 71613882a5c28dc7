//! A user namespace with a container's own maps, for rc's work on its files.

use std::io::Read as _;

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};

use super::{Error, IdMap};
use crate::sys::fs::{self, AtPath as _};
use crate::sys::process::{CloneOptions, fork};
use crate::sys::{namespace, prctl};
use crate::types::IdMaps;

/// Makes this process root among the IDs of a container with `maps`, if it has maps of its own. It must be root in the
/// root namespace, whose map is `ids`, and keeps what it has open.
pub(crate) fn enter_maps(ids: &IdMap, maps: &IdMaps) -> Result<(), Error> {
    if maps.is_identity() {
        return Ok(());
    }
    let system = |action| move |source: std::io::Error| Error::System { action, source };
    let (read, write) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|error| system("create a pipe")(error.into()))?;
    let options = CloneOptions { flags: Some(CloneFlags::CLONE_NEWUSER), cgroup: None };
    let mut write = Some(write);
    let member = fork(&options, || {
        drop(write.take());
        // Its namespace is all that matters. It ends with the pipe.
        let waited = prctl::die_with_parent().map(|()| std::fs::File::from(read).read(&mut [0]));
        i32::from(waited.is_err())
    })
    .map_err(|source| Error::Refused { source })?;
    let (uids, gids) = ids.nested(maps, 0, 0);
    let at = |name: &str| format!("/proc/{}/{name}", member.pid);
    let entered = fs::write(at("uid_map"), uids).and_then(|()| fs::write(at("gid_map"), gids)).and_then(|()| {
        let path = at("ns/user");
        rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at("open", &path)
    });
    let joined = entered.map_err(Error::from).and_then(|namespace| {
        use std::os::fd::AsFd as _;
        let joined = namespace::join(namespace.as_fd(), CloneFlags::CLONE_NEWUSER);
        joined.map_err(system("enter the container's user namespace"))
    });
    drop(write);
    drop(member.wait());
    joined?;
    become_root()
}

/// The IDs of this process are the user's, which may have none here.
fn become_root() -> Result<(), Error> {
    use crate::sys::ids;
    let system = |action| move |source: std::io::Error| Error::System { action, source };
    ids::set_groups(&[]).map_err(system("drop groups"))?;
    ids::set_gid(0).map_err(system("become group 0"))?;
    ids::set_uid(0).map_err(system("become user 0"))
}
