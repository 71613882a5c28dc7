//! The network namespace in which a relay connects, and the way to it.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;

use super::inside::{Answers, Inside, Reach};
use super::marked;
use crate::net::addresses::Addresses;
use crate::sys::{namespace, process};

/// A place for a relay.
#[derive(Debug)]
pub(crate) struct Spot {
    way: Way,
    inside: Inside,
}

#[derive(Debug)]
enum Way {
    /// To the namespaces of a process, by its pidfd.
    Process(OwnedFd),
    /// To a network's namespace, through the user namespace that owns it.
    Network { home: OwnedFd, namespace: OwnedFd },
}

impl PartialEq for Spot {
    /// Whether both are one place, with the same addresses.
    fn eq(&self, other: &Self) -> bool {
        let is_one = match (&self.way, &other.way) {
            (Way::Network { namespace: one, .. }, Way::Network { namespace: other, .. }) => {
                namespace::is_same(one.as_fd(), other.as_fd())
            }
            // A process is another one's place each time.
            _ => false,
        };
        is_one && self.inside == other.inside
    }
}

impl Spot {
    /// The user and network namespaces of process `target`, which has these addresses.
    pub(in crate::net) fn of_process(target: i32, addresses: Addresses) -> io::Result<Self> {
        let way = Way::Process(process::open_pidfd(target)?);
        // There is an address, so this is not the error.
        let inside = Inside::new([addresses.into()], Answers::Lost).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { way, inside })
    }

    /// A network's namespace, in which the container has addresses `reaches`, and whose packet filter knows answers to
    /// clients if `has_filter`. `None` if the container has no address.
    pub(in crate::net) fn of_network(
        home: OwnedFd,
        namespace: OwnedFd,
        reaches: impl IntoIterator<Item = Reach>,
        has_filter: bool,
    ) -> Option<Self> {
        let inside = Inside::new(reaches, if has_filter { Answers::Filtered } else { Answers::Lost })?;
        Some(Self { way: Way::Network { home, namespace }, inside })
    }

    /// Whether it is in that network namespace.
    pub(crate) fn is_in(&self, network: BorrowedFd<'_>) -> bool {
        matches!(&self.way, Way::Network { namespace, .. } if namespace::is_same(namespace.as_fd(), network))
    }

    /// Takes this process there, and returns what it finds. It has all capabilities then. `has_tcp` says whether there
    /// will be answers of TCP.
    pub(super) fn enter(&self, has_tcp: bool) -> io::Result<Inside> {
        let mut inside = self.inside.clone();
        match &self.way {
            Way::Process(pidfd) => {
                namespace::join(pidfd.as_fd(), CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
                // Without routing rules in the kernel clients appear as the container itself.
                if has_tcp && let Ok(mark) = marked::set_up() {
                    inside.answers = Answers::Marked(mark);
                }
            }
            Way::Network { home, namespace } => {
                namespace::join(home.as_fd(), CloneFlags::CLONE_NEWUSER)?;
                namespace::join(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
            }
        }
        Ok(inside)
    }
}
