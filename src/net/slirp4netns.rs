//! slirp4netns: a TCP/IP stack in user space behind a tap device in the container.
//!
//! rc tells it the pid; the form with a path crashes under `--enable-sandbox` in version 1.2.0. The sandbox takes away
//! its view of the filesystem and its capabilities, `--disable-host-loopback` its access to 127.0.0.1 (safety.md, N2).
//! It publishes ports through its API socket (`hostfwd`). Its name server at 10.0.2.3 asks the first IPv4 name server
//! in the host's resolv.conf, even one on loopback, and notices when that file changes.
//!
//! Source: slirp4netns(1), "OPTIONS".

use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Instant;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::addresses::{Addresses, INTERFACE, USER_MODE};
use super::driver::{Driver, StartingNetwork};
use super::error::Error;
use super::helper::{Process, text};
use super::hostfwd::{self, Forwards, SOCKET};
use super::ports;
use super::request::Request;
use crate::sys::spawn::{Program, spawn};
use crate::types::NetworkDriver;

/// The descriptor numbers that the helper gets.
const READY: i32 = 3;
const EXIT: i32 = 4;
const DIRECTORY_FD: i32 = 5;

/// The driver.
#[derive(Debug)]
pub(super) struct Slirp4netns;

impl Driver for Slirp4netns {
    fn name(&self) -> &'static str {
        NetworkDriver::Slirp4netns.as_str()
    }

    fn addresses(&self) -> Option<Addresses> {
        Some(USER_MODE)
    }

    fn validate(&self, request: &Request) -> Result<(), Error> {
        request.programs.find(NetworkDriver::Slirp4netns)?;
        if let Some(port) = request.ports.iter().find(|port| port.host_ip.is_some_and(|ip| ip.is_ipv6())) {
            return Err(Error::NoIpv6 { driver: self.name(), port: port.clone() });
        }
        ports::check_free(&request.ports)
    }

    fn start(&self, request: &Request, target: i32) -> Result<StartingNetwork, Error> {
        let driver = self.name();
        let talk = |step| move |errno: Errno| Error::Talk { driver, step, source: errno.into() };
        let path = request.programs.find(NetworkDriver::Slirp4netns)?;
        let (ready, ready_in) = pipe_with(PipeFlags::CLOEXEC).map_err(talk("create a pipe"))?;
        let (exit_out, exit) = pipe_with(PipeFlags::CLOEXEC).map_err(talk("create a pipe"))?;
        let directory = hostfwd::open_directory(request)?;

        let mut argv = vec![c"slirp4netns".to_owned()];
        argv.extend(["--configure", "--mtu=65520", "--enable-sandbox", "--enable-seccomp"].map(text));
        argv.push(text("--disable-host-loopback"));
        argv.extend([format!("--ready-fd={READY}"), format!("--exit-fd={EXIT}")].map(text));
        if request.ports.iter().any(ports::is_for_helper) {
            // Through the descriptor, since a socket's path has at most 107 bytes and the directory's path may be
            // longer.
            argv.push(text(format!("--api-socket=/proc/self/fd/{DIRECTORY_FD}/{SOCKET}")));
        }
        argv.extend([text(target.to_string()), text(INTERFACE)]);

        let descriptors = [(ready_in.as_fd(), READY), (exit_out.as_fd(), EXIT), (directory.as_fd(), DIRECTORY_FD)];
        let program = Program {
            path: &text(path.as_os_str().as_bytes()),
            argv: &argv,
            env: &[],
            descriptors: &descriptors,
            // Its sandbox pivots to a new root, which the kernel refuses if mounts are shared, as they are with
            // systemd. In a user namespace they are not; with root's own, the sandbox makes only the topmost mount
            // private (slirp4netns 1.2: `create_sandbox`).
            own_mounts: rustix::process::geteuid().is_root(),
        };
        let helper = spawn(&program).map_err(|source| Error::Spawn { program: path, source })?;
        let process = Process { helper, ready, _exit: Some(exit) };
        Ok(StartingNetwork { driver: &Self, request: request.clone(), target, process: Some(process), _lock: None })
    }

    fn publish(&self, starting: &StartingNetwork, deadline: Instant) -> Result<Option<Forwards>, Error> {
        Forwards::ask(&starting.request, self.name(), USER_MODE.ip, deadline)
    }
}
