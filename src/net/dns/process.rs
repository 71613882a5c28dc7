//! The process that serves names: `rc: dns NAME`, a child of the network's keeper.
//!
//! It reads what containers and name servers send, so it is alone with that: it has no capability and no descriptor but
//! its sockets, reads nothing but records of networks and the host's `resolv.conf`, writes nothing, and connects to
//! nothing but name servers. The keeper hands it the locks of members ([`super::owners`]). The keeper holds the
//! namespaces, and starts programs that need more; it has the sockets, too, so that nothing is lost if this process
//! must be replaced.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::PollFlags;

use super::owners::Locks;
use super::server::Server;
use super::settings::Settings;
use super::sockets::Sockets;
use crate::sys::landlock::Allowed;
use crate::sys::poll::PollSet;
use crate::sys::process::{self, Child, CloneOptions};
use crate::sys::spawn::seclude;
use crate::sys::{landlock, limits, prctl, socket};

/// Where a host's `resolv.conf` may be: the file is a link on many, and another one after a change of the network.
/// Source: systemd-resolved(8), resolvconf(8), NetworkManager.conf(5) "rc-manager"; the last is that of WSL.
const RESOLV_CONF: [&str; 6] =
    ["/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/run/connman", "/mnt/wsl"];

/// The directory of the store in which it reads.
const STORE: &str = "networks";

/// The running process. It is killed and reaped when this is dropped.
#[derive(Debug)]
pub(crate) struct NameServer {
    child: Child,
    /// By this it asks for locks.
    questions: OwnedFd,
}

impl NameServer {
    /// Starts it, at `sockets`, in the namespaces of the caller, which has one thread.
    pub(crate) fn start(sockets: &Sockets, settings: &Settings) -> io::Result<Self> {
        let parent = rustix::process::getpid();
        let (questions, keeper) = socket::pair()?;
        // The keeper does not wait for it.
        rustix::io::ioctl_fionbio(&questions, true)?;
        let mut keeper = Some(keeper);
        let child = process::fork(&CloneOptions::default(), || match keeper.take() {
            Some(keeper) => i32::from(run(sockets, settings, keeper, parent).is_err()),
            None => 125,
        })?;
        Ok(Self { child, questions })
    }

    /// Readable when it asks for a lock.
    pub(crate) fn questions(&self) -> BorrowedFd<'_> {
        self.questions.as_fd()
    }

    /// Its number.
    pub(crate) fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Readable when it has ended, which it does not by itself.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // Both calls can only fail if it has already ended.
        drop(self.child.signal(libc::SIGKILL));
        drop(self.child.wait());
    }
}

/// Runs in the process.
fn run(sockets: &Sockets, settings: &Settings, keeper: OwnedFd, parent: rustix::process::Pid) -> io::Result<()> {
    let name = format!("rc: dns {}", settings.network);
    prctl::set_name(&name)?;
    process::replace_command_line(&name)?;
    let own: Vec<OwnedFd> =
        sockets.descriptors().into_iter().map(|fd| fd.try_clone_to_owned()).collect::<Result<_, _>>()?;
    seclude(&own.iter().map(|fd| fd.as_fd()).chain([keeper.as_fd()]).collect::<Vec<_>>(), parent, &[])?;
    // 512 queries under way, each asking up to three servers. With less, more of them fail.
    limits::raise_descriptors().ok();
    confine(settings)?;
    let mut server = Server::new(Sockets::from_descriptors(own)?, settings.clone(), Locks::Keeper(keeper))?;
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
    let readable = own.chain([settings.root.join(STORE)]).collect();
    landlock::restrict(&Allowed { readable, port: Some(settings.port), ..Allowed::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fs;

    #[test]
    fn it_reads_records_of_networks_and_nothing_of_containers() {
        if !landlock::is_there() {
            return;
        }
        let home = tempfile::tempdir().expect("a directory");
        let at = |path: &str| home.path().join("store").join(path);
        let files =
            ["networks/app/network.json", "containers/c/lock", "containers/c/config.json", "tmp/c/lock", "lock"];
        for path in files {
            fs::create_dir_all(at(path).parent().expect("a directory")).expect("made");
            fs::write(at(path), "x").expect("written");
        }
        let mut settings = Settings::new(&at(""), "app".parse().expect("a name"));
        let elsewhere = tempfile::tempdir().expect("a directory");
        settings.resolv_conf = elsewhere.path().join("resolv.conf");
        fs::write(&settings.resolv_conf, "").expect("written");
        // It restricts the thread that asks for it.
        let thread = std::thread::scope(|scope| {
            let confined = scope.spawn(|| {
                prctl::set_no_new_privs().and_then(|()| confine(&settings)).expect("confined");
                assert_eq!(files.map(|path| fs::read(at(path)).is_ok()), [true, false, false, false, false]);
                assert!(fs::read(&settings.resolv_conf).is_ok());
                assert!(fs::write(at("networks/app/network.json"), "y").is_err());
                assert!(fs::read("/proc/self/status").is_err());
            });
            confined.join()
        });
        thread.expect("it sees what it should");
    }
}
