//! The process that serves names: `rc: dns NAME`, a child of the network's keeper.
//!
//! It reads what containers and name servers send, so it is alone with that: it has no capability and no descriptor but
//! its sockets, reads nothing but records of networks, locks of containers and the host's `resolv.conf`, writes
//! nothing, and connects to nothing but name servers. The keeper holds the namespaces, and starts programs that need
//! more; it has the sockets, too, so that nothing is lost if this process must be replaced.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::PollFlags;

use super::server::{Server, Settings};
use super::sockets::Sockets;
use crate::sys::landlock::Allowed;
use crate::sys::poll::PollSet;
use crate::sys::process::{self, Child, CloneOptions};
use crate::sys::spawn::seclude;
use crate::sys::{landlock, limits, prctl};

/// Where a host's `resolv.conf` may be: the file is a link on many, and another one after a change of the network.
/// Source: systemd-resolved(8), resolvconf(8), NetworkManager.conf(5) "rc-manager"; the last is that of WSL.
const RESOLV_CONF: [&str; 6] =
    ["/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/run/connman", "/mnt/wsl"];

/// The directories of the store in which it reads.
const STORE: [&str; 4] = ["networks", "containers", "pods", "tmp"];

/// The running process. It is killed and reaped when this is dropped.
#[derive(Debug)]
pub(crate) struct NameServer(Child);

impl NameServer {
    /// Starts it, at `sockets`, in the namespaces of the caller, which has one thread.
    pub(crate) fn start(sockets: &Sockets, settings: &Settings) -> io::Result<Self> {
        let parent = rustix::process::getpid();
        let child = process::fork(&CloneOptions::default(), || i32::from(run(sockets, settings, parent).is_err()))?;
        Ok(Self(child))
    }

    /// Its number.
    pub(crate) fn pid(&self) -> i32 {
        self.0.pid
    }

    /// Readable when it has ended, which it does not by itself.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.0.pidfd.as_fd()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // Both calls can only fail if it has already ended.
        drop(self.0.signal(libc::SIGKILL));
        drop(self.0.wait());
    }
}

/// Runs in the process.
fn run(sockets: &Sockets, settings: &Settings, parent: rustix::process::Pid) -> io::Result<()> {
    let name = format!("rc: dns {}", settings.network);
    prctl::set_name(&name)?;
    process::replace_command_line(&name)?;
    let own: Vec<OwnedFd> =
        sockets.descriptors().into_iter().map(|fd| fd.try_clone_to_owned()).collect::<Result<_, _>>()?;
    seclude(&own.iter().map(|fd| fd.as_fd()).collect::<Vec<_>>(), parent, &[])?;
    // 512 queries under way, each asking up to three servers. With less, more of them fail.
    limits::raise_descriptors().ok();
    confine(settings)?;
    let mut server = Server::new(Sockets::from_descriptors(own)?, settings.clone())?;
    loop {
        let mut set = PollSet::new();
        set.watch(server.as_fd(), PollFlags::IN, ());
        set.wait(None)?;
        server.serve()?;
    }
}

/// Gives up everything that the kernel can refuse it. Kernels before 5.13, or without Landlock, refuse less.
fn confine(settings: &Settings) -> io::Result<()> {
    let file = &settings.resolv_conf;
    let target = file.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
    let own = RESOLV_CONF.iter().map(PathBuf::from).chain(file.parent().map(Path::to_owned)).chain(target);
    let readable = own.chain(STORE.iter().map(|name| settings.root.join(name))).collect();
    landlock::restrict(&Allowed { readable, port: settings.port })
}
