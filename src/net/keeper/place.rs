//! The keeper's place among the user's cgroups: a scope of its own, `rc-net-NAME-PID.scope`, for it and its helpers.
//!
//! The keeper is forked in the unit or the session of the network's first member. What ends there must not take from
//! the others what only a process can keep: the connections through the way out. The service manager makes the scope
//! beside the keeper's work. Without a manager, or if it refuses, the keeper stays where it was forked, and the other
//! members make another one when it ends.

use std::os::fd::BorrowedFd;

use crate::systemd::{self, Pending, Scope, Weights};
use crate::types::Name;

/// Where the keeper is.
#[derive(Debug)]
pub(super) enum Place {
    /// Where it stays.
    Given,
    /// The manager is making its scope.
    Asked(Pending),
}

impl Place {
    /// Asks for the scope, for this process and these helpers.
    pub(super) fn ask(network: &Name, helpers: impl Iterator<Item = i32>) -> Self {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let pids: Vec<_> = std::iter::once(own).chain(helpers).collect();
        let scope = Scope {
            // The scope of the last keeper may still exist.
            unit: &format!("rc-net-{network}-{own}.scope"),
            description: &format!("rc: net {network}"),
            slice: systemd::slice(),
            pids: &pids,
            is_delegated: false,
            // One that does nothing to them. When the manager ends, it stops everything at the same time, and
            // containers need the network until they have stopped; the keeper ends after the last of them.
            stop_signal: Some(libc::SIGURG),
            weights: Weights::default(),
        };
        Pending::ask(&systemd::socket(), &scope).map_or(Self::Given, Self::Asked)
    }

    /// Readable when [`proceed`](Self::proceed) has something to do.
    pub(super) fn awaited(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Given => None,
            Self::Asked(pending) => Some(pending.awaited()),
        }
    }

    /// Hears what the manager says.
    pub(super) fn proceed(&mut self) {
        if let Self::Asked(pending) = self
            && !matches!(pending.proceed(), Ok(false))
        {
            *self = Self::Given;
        }
    }
}
