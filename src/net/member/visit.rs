//! Being in a network without being one of its members: a process of the user's that works in its namespace.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Instant;

use nix::sched::CloneFlags;

use super::Joiner;
use crate::net::error::Error;
use crate::net::keeper::protocol::{self, Said};
use crate::net::record::Networks;
use crate::net::wait::wait_readable;
use crate::net::way_out::NEWS_AFTER;
use crate::sys::fs::{self, PathError};
use crate::sys::lock::FileLock;
use crate::sys::{namespace, process};
use crate::types::{Name, NetworkRecord};

/// The file in the network's directory on which each visitor has a shared lock: it has no lease.
const VISITED: &str = "visited";

/// A network that is held by this process: it goes on, with its way out, until the connection to its keeper is closed.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The network.
    pub(crate) record: NetworkRecord,
    connection: OwnedFd,
    namespace: OwnedFd,
    home: OwnedFd,
    /// Tells who wants to remove the network.
    sign: FileLock,
}

impl Joiner {
    /// Holds a network, and waits until it has its way out. `home` is the root namespace in which its namespace is made
    /// if there is none.
    pub(crate) fn visit(
        &self,
        name: &Name,
        home: impl FnOnce() -> Result<OwnedFd, crate::userns::Error>,
    ) -> Result<Visit, Error> {
        let locked = self.networks.lock(name)?.ok_or_else(|| Error::NoNetwork { name: name.to_string() })?;
        let welcome = self.enter(&locked, home)?;
        let record = locked.record.clone();
        let step = |step| move |source| Error::Network { network: name.to_string(), step, source };
        let sign = FileLock::shared(locked.directory.join(VISITED))?;
        drop(locked);
        let until = Instant::now() + NEWS_AFTER;
        loop {
            let heard = wait_readable(&[welcome.connection.as_fd()], until);
            if !heard.map_err(|errno| step("wait for its way out")(errno.into()))? {
                return Err(step("wait for its way out")(std::io::Error::from_raw_os_error(libc::ETIMEDOUT)));
            }
            match protocol::hear(&welcome.connection).map_err(step("talk to its keeper"))? {
                Some((Said::Up, _)) => break,
                Some((Said::Failed(report), _)) => return Err(Error::Keeper { network: name.to_string(), report }),
                Some((Said::Welcome { .. }, _)) => {}
                None => return Err(step("talk to its keeper")(std::io::Error::from_raw_os_error(libc::ECONNRESET))),
            }
        }
        let super::Welcome { connection, namespace, home, .. } = welcome;
        Ok(Visit { record, connection, namespace, home, sign })
    }
}

impl Networks {
    /// Whether somebody visits a network. The caller holds its lock.
    pub(crate) fn is_visited(&self, name: &Name) -> Result<bool, PathError> {
        let path = self.directory(name).join(VISITED);
        if fs::symlink_metadata(&path).is_err() {
            return Ok(false);
        }
        Ok(FileLock::try_exclusive(&path)?.is_none())
    }
}

impl Visit {
    /// Makes this process, which has one thread, root in the root namespace of the network, and puts it into the
    /// network. A program that it executes has the connection to the keeper and the lock, too: the network lives as
    /// long as that, and is not removed.
    pub(crate) fn enter(self) -> Result<(), Error> {
        let network = &self.record.name;
        let failed = |step| move |source| Error::Network { network: network.to_string(), step, source };
        namespace::join(self.home.as_fd(), CloneFlags::CLONE_NEWUSER).map_err(failed("enter its user namespace"))?;
        namespace::join(self.namespace.as_fd(), CloneFlags::CLONE_NEWNET).map_err(failed("enter it"))?;
        process::keep_open(self.connection).and_then(|()| self.sign.keep()).map_err(failed("keep it"))
    }
}
