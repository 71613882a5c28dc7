//! The service manager that has started this command, if one has: what its variables say, and what rc tells it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::plan::{ContainerConfig, Handed, Sdnotify};
use crate::sys::datagram::Sender;
use crate::sys::inherited::Inherited;

/// What the manager's variables say. Source: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3), systemd.exec(5).
#[derive(Debug, Default)]
pub(crate) struct Manager {
    /// `NOTIFY_SOCKET`.
    notify_socket: Option<String>,
    /// `WATCHDOG_USEC`, if it is meant for this process.
    watchdog_usec: Option<u64>,
    /// `LISTEN_FDS`, if they are meant for this process.
    listen_fds: usize,
    /// `LISTEN_FDNAMES`.
    listen_names: Option<String>,
    /// This process is the main one of its unit (`SYSTEMD_EXEC_PID`).
    is_main: bool,
    /// Descriptors for the program: the manager's listening sockets, and those that options ask for.
    pub(crate) descriptors: Vec<Inherited>,
    /// Descriptors that belong to this command alone, because its caller waits for their end: monitors close them.
    pub(crate) own: Vec<Arc<OwnedFd>>,
}

impl Manager {
    /// Reads the variables; `pid` is this process. Variables for another PID were inherited by mistake.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>, pid: u32) -> Self {
        let is_ours = |name| variable(name).is_none_or(|text| text.parse() == Ok(pid));
        let number = |name, pid_name| variable(name).filter(|_| is_ours(pid_name)).and_then(|text| text.parse().ok());
        let listen_fds = number("LISTEN_FDS", "LISTEN_PID").unwrap_or_default();
        Self {
            notify_socket: variable("NOTIFY_SOCKET").filter(|address| !address.is_empty()),
            watchdog_usec: number("WATCHDOG_USEC", "WATCHDOG_PID"),
            listen_fds: usize::try_from(listen_fds).unwrap_or_default(),
            listen_names: variable("LISTEN_FDNAMES"),
            is_main: variable("SYSTEMD_EXEC_PID").is_some_and(|text| text.parse() == Ok(pid)),
            descriptors: Vec::new(),
            own: Vec::new(),
        }
    }

    /// How many descriptors from 3 on the manager has handed over.
    pub(crate) fn listening(&self) -> usize {
        self.listen_fds
    }

    /// What the program of this container gets; descriptors only if this command has taken them over.
    pub(super) fn handed(&self, config: &ContainerConfig) -> Handed {
        let listen_fds = self.listen_fds.min(self.descriptors.len());
        Handed {
            notify_socket: self.relayed(config).is_some(),
            watchdog_usec: self.watchdog_usec,
            listen_fds,
            listen_names: self.listen_names.clone().filter(|_| listen_fds > 0),
        }
    }

    /// The address to which the monitor passes on the program's messages, if it does.
    pub(super) fn relayed(&self, config: &ContainerConfig) -> Option<&str> {
        self.notify_socket.as_deref().filter(|_| config.service.sdnotify == Sdnotify::Container)
    }

    /// The address at which the monitor says that the container is healthy, if it does.
    pub(super) fn told_when_healthy(&self, config: &ContainerConfig) -> Option<&str> {
        self.notify_socket.as_deref().filter(|_| config.service.sdnotify == Sdnotify::Healthy)
    }

    /// Copies of the descriptors, close-on-exec, for the program.
    pub(super) fn copies(&self) -> io::Result<Vec<Inherited>> {
        let copy =
            |inherited: &Inherited| Ok(Inherited { number: inherited.number, fd: inherited.fd.try_clone()?.into() });
        self.descriptors.iter().map(copy).collect()
    }

    /// For the start of a container that another one needs, whose manager this is: it gets nothing from there, and its
    /// monitor closes what is the other's.
    pub(crate) fn for_needed(&self) -> Self {
        let others = self.descriptors.iter().map(|inherited| &inherited.fd);
        Self { own: self.own.iter().chain(others).cloned().collect(), ..Self::default() }
    }

    /// Whether this command is the main process of its unit: when it ends, the unit ends, and the manager kills the
    /// unit's other processes.
    pub(crate) fn is_of_unit(&self) -> bool {
        self.is_main
    }

    /// Whether a start of this container hands something over, or makes its monitor part of a unit: both are done while
    /// the container is prepared.
    pub(crate) fn hands_over(&self, config: &ContainerConfig) -> bool {
        let is_told = self.notify_socket.is_some() && config.service.sdnotify != Sdnotify::Ignore;
        self.is_main || is_told || !self.descriptors.is_empty()
    }

    /// Connects to the manager, if rc tells it anything. This happens before the start, so that the start fails if the
    /// manager cannot be reached.
    pub(super) fn connect(&self, config: &ContainerConfig) -> io::Result<Option<Sender>> {
        let address = self.notify_socket.as_deref().filter(|_| config.service.sdnotify != Sdnotify::Ignore);
        address.map(Sender::connect).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Manager {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Manager::read(find, 7)
    }

    #[test]
    fn what_is_meant_for_another_process_is_not_taken() {
        let ours = read(&[("LISTEN_FDS", "2"), ("LISTEN_PID", "7"), ("WATCHDOG_USEC", "9"), ("SYSTEMD_EXEC_PID", "7")]);
        assert_eq!((ours.listening(), ours.watchdog_usec, ours.is_main), (2, Some(9), true));
        let others = read(&[
            ("LISTEN_FDS", "2"),
            ("LISTEN_PID", "8"),
            ("WATCHDOG_USEC", "9"),
            ("WATCHDOG_PID", "8"),
            ("SYSTEMD_EXEC_PID", "8"),
        ]);
        assert_eq!((others.listening(), others.watchdog_usec, others.is_main), (0, None, false));
        assert_eq!(read(&[("LISTEN_FDS", "3")]).listening(), 3);
        assert_eq!(read(&[("LISTEN_FDS", "-1"), ("WATCHDOG_USEC", "x")]).listening(), 0);
    }
}
