//! A child of the keeper that is root in the network's namespace: it makes the namespace, and helpers find it by the
//! child's PID. The keeper itself stays in the host's namespaces.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};

use super::super::agreed::TAP;
use super::super::bridge;
use super::super::dns::Sockets;
use super::super::error::Error;
use super::super::filter::Before;
use super::super::netlink::Refused;
use super::super::netlink::watch::Routes;
use super::protocol::{self, Said, say};
use super::space::{Keep, Space};
use crate::sys::process::{self, Child, CloneOptions, fork};
use crate::sys::{namespace, prctl, socket};
use crate::types::NetworkRecord;

/// How long the kernel may take to remove the interface of a helper that was killed.
const TAP_GOES: Duration = Duration::from_secs(2);

/// The child. It ends when this is dropped.
#[derive(Debug)]
pub(in crate::net) struct Inside {
    child: Child,
    _socket: OwnedFd,
    /// What comes to the namespace from now on.
    routes: Option<Routes>,
}

impl Inside {
    /// Makes the network's namespace, or enters the one that exists and removes what a dead keeper's helper has left.
    /// The sockets are those of the network's name server.
    pub(super) fn begin(keep: &Keep<'_>) -> Result<(Self, Space, Sockets), Error> {
        let network = || keep.record.name.to_string();
        let failed = |step| move |source| Error::Network { network: network(), step, source };
        let (inside, said, descriptors) = Self::start(keep.record, keep.home, || {
            let has_filter = match keep.namespace {
                Some(namespace) => {
                    namespace::join(namespace, CloneFlags::CLONE_NEWNET).map_err(refused("enter the network"))?;
                    bridge::remove_way_out(TAP, Instant::now() + TAP_GOES)?;
                    bridge::set_up_filter(keep.record, Before::Filter)
                }
                None => {
                    namespace::unshare(CloneFlags::CLONE_NEWNET).map_err(refused("create a network namespace"))?;
                    bridge::set_up(keep.record)?
                }
            };
            let served: Vec<_> = keep.record.name_servers().collect();
            Ok((has_filter, Sockets::open(&served).map_err(refused("listen for the network's name server"))?))
        })?;
        let duplicate = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map_err(failed("duplicate a descriptor"));
        let mut descriptors = descriptors.into_iter();
        match (said, descriptors.next()) {
            (Said::Welcome { has_filter }, Some(namespace)) => {
                let sockets = Sockets::from_descriptors(descriptors.collect());
                let sockets = sockets.map_err(failed("take over the name server's sockets"))?;
                Ok((inside, Space { home: duplicate(keep.home)?, namespace, has_filter }, sockets))
            }
            (Said::Failed(report), _) => Err(Error::Keeper { network: network(), report }),
            _ => Err(failed("make the network")(io::Error::from_raw_os_error(libc::EPROTO))),
        }
    }

    /// Enters a namespace that exists.
    pub(in crate::net) fn enter(record: &NetworkRecord, space: &Space) -> Result<Self, Error> {
        let (inside, said, _) = Self::start(record, space.home.as_fd(), || {
            namespace::join(space.namespace.as_fd(), CloneFlags::CLONE_NEWNET).map_err(refused("enter the network"))?;
            Ok((space.has_filter, Sockets::default()))
        })?;
        match said {
            Said::Failed(report) => Err(Error::Keeper { network: record.name.to_string(), report }),
            _ => Ok(inside),
        }
    }

    /// Forks the child, in which `work` enters the namespace and returns whether it has a packet filter, and sockets
    /// for the keeper, and waits until that is done.
    fn start(
        record: &NetworkRecord,
        home: BorrowedFd<'_>,
        work: impl FnOnce() -> Result<(bool, Sockets), Refused>,
    ) -> Result<(Self, Said, Vec<OwnedFd>), Error> {
        let failed = |step| move |source| Error::Network { network: record.name.to_string(), step, source };
        let (ours, theirs) = socket::pair().map_err(failed("create a socket pair"))?;
        let keeper = rustix::process::getpid();
        let child = fork(&CloneOptions::default(), || {
            // Otherwise it would not see the keeper's end, and keep connections open.
            drop(process::close(ours.as_fd()));
            let done = become_root(home, keeper).and_then(|()| work()).and_then(|(has_filter, sockets)| {
                let own = rustix::fs::open(c"/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
                let own = own.map_err(|errno| refused("open the network's namespace")(errno.into()))?;
                let routes = Routes::watch().map_err(refused("watch the network's routes"))?;
                Ok((has_filter, own, routes, sockets))
            });
            let told = match &done {
                Ok((has_filter, own, routes, sockets)) => {
                    let descriptors = [vec![own.as_fd(), routes.as_fd()], sockets.descriptors()].concat();
                    say(theirs.as_fd(), &Said::Welcome { has_filter: *has_filter }, &descriptors)
                }
                Err(error) => {
                    let error =
                        Error::refused(&record.name, Refused { step: error.step, source: copied(&error.source) });
                    say(theirs.as_fd(), &Said::Failed(error.into()), &[])
                }
            };
            // What is kept open from here on is nothing but the end of the socket.
            if told.is_ok() && done.is_ok() {
                drop(process::close_all_but(&[theirs.as_fd()]));
                drop(protocol::hear(&theirs));
            }
            0
        })
        .map_err(failed("fork"))?;
        drop(theirs);
        let mut inside = Self { child, _socket: ours, routes: None };
        let heard = protocol::hear(&inside._socket).map_err(failed("make the network"))?;
        let (said, mut descriptors) =
            heard.ok_or_else(|| failed("make the network")(io::Error::from_raw_os_error(libc::ECHILD)))?;
        if descriptors.len() > 1 {
            inside.routes = Some(descriptors.remove(1).into());
        }
        Ok((inside, said, descriptors))
    }

    /// Hears of routes that have come to the namespace since it was entered; `None` the second time.
    pub(in crate::net) fn take_routes(&mut self) -> Option<Routes> {
        self.routes.take()
    }

    /// The PID by which a helper finds the namespaces.
    pub(in crate::net) fn pid(&self) -> i32 {
        self.child.pid
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Both calls can only fail if it has already ended.
        drop(self.child.signal(libc::SIGKILL));
        drop(self.child.wait());
    }
}

/// Enters the user namespace, and lets helpers of the same user open its namespaces: a change of credentials takes both
/// from a process. Source: PR_SET_DUMPABLE(2const), PR_SET_PDEATHSIG(2const).
fn become_root(home: BorrowedFd<'_>, keeper: rustix::process::Pid) -> Result<(), Refused> {
    namespace::join(home, CloneFlags::CLONE_NEWUSER).map_err(refused("enter the root namespace"))?;
    prctl::set_dumpable(true).map_err(refused("become dumpable"))?;
    prctl::die_with_parent().map_err(refused("set the parent-death signal"))?;
    if rustix::process::getppid() == Some(keeper) {
        return Ok(());
    }
    Err(refused("find the keeper")(io::Error::from_raw_os_error(libc::ESRCH)))
}

fn refused(step: &'static str) -> impl FnOnce(io::Error) -> Refused {
    move |source| Refused { step, source }
}

fn copied(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error)
}
