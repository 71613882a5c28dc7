//! slirp4netns: a TCP/IP stack in user space behind a tap device in the container.
//!
//! rc tells it the pid; the form with a path crashes under `--enable-sandbox` in version 1.2.0. The sandbox takes away
//! its view of the filesystem and its capabilities, `--disable-host-loopback` its access to 127.0.0.1 (safety.md, N2).
//! It publishes UDP ports through its API socket (`hostfwd`); TCP ports are the relay's (`relay`). Its name server at
//! 10.0.2.3 asks the first IPv4 name server in the host's resolv.conf, even one on loopback, and notices when that file
//! changes.
//!
//! Source: slirp4netns(1), "OPTIONS".

use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Instant;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::addresses::{self, Addresses};
use super::driver::{Driver, StartingNetwork};
use super::error::Error;
use super::helper::{Process, text};
use super::hostfwd::{self, Forwards, SOCKET};
use super::ports;
use super::request::Request;
use crate::sys::fs;
use crate::sys::spawn::{Program, spawn};
use crate::types::{NetworkDriver, PortMapping, Protocol, Slirp4netnsOptions};

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

    fn addresses(&self, request: &Request) -> Option<Addresses> {
        Some(addresses::of_slirp4netns(&options(request)))
    }

    fn validate(&self, request: &Request) -> Result<(), Error> {
        request.programs.find(NetworkDriver::Slirp4netns)?;
        let helpers = || request.ports.iter().filter(|port| !self.leaves_to_relay(port));
        if let Some(port) = helpers().find(|port| port.host_ip.is_some_and(|ip| ip.is_ipv6())) {
            return Err(Error::NoIpv6 { driver: self.name(), port: port.clone() });
        }
        ports::check_free(helpers())
    }

    fn leaves_to_relay(&self, port: &PortMapping) -> bool {
        port.protocol == Protocol::Tcp || ports::is_loopback_datagrams(port)
    }

    fn start(&self, request: &Request, target: i32) -> Result<StartingNetwork, Error> {
        let driver = self.name();
        let talk = |step| move |errno: Errno| Error::Talk { driver, step, source: errno.into() };
        let path = request.programs.find(NetworkDriver::Slirp4netns)?;
        let (ready, ready_in) = pipe_with(PipeFlags::CLOEXEC).map_err(talk("create a pipe"))?;
        let (exit_out, exit) = pipe_with(PipeFlags::CLOEXEC).map_err(talk("create a pipe"))?;
        let directory = hostfwd::open_directory(request)?;

        let mut argv = vec![c"slirp4netns".to_owned()];
        argv.extend(["--configure", "--enable-sandbox", "--enable-seccomp"].map(text));
        argv.extend(words(&options(request)).into_iter().map(text));
        argv.extend([format!("--ready-fd={READY}"), format!("--exit-fd={EXIT}")].map(text));
        if request.ports.iter().any(|port| !self.leaves_to_relay(port)) {
            // Through the descriptor, since a socket's path has at most 107 bytes and the directory's path may be
            // longer.
            argv.push(text(format!("--api-socket=/proc/self/fd/{DIRECTORY_FD}/{SOCKET}")));
        }
        argv.extend([text(target.to_string()), text(request.interface)]);

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
        Ok(StartingNetwork {
            driver: &Self,
            request: request.clone(),
            target,
            process: Some(process),
            relay: None,
            _lock: None,
        })
    }

    fn explain(&self, starting: &StartingNetwork, error: Error) -> Error {
        let Error::HelperEnded { driver, ended, words } = error else { return error };
        if words.contains("seteuid(0)") || words.contains("setegid(0)") {
            for (what, file) in [("user", "uid_map"), ("group", "gid_map")] {
                let map = fs::read_to_string(format!("/proc/{}/{file}", starting.target)).unwrap_or_default();
                if let Some(id) = only_id(&map) {
                    return Error::NoRoot { what, id };
                }
            }
        }
        Error::HelperEnded { driver, ended, words: complaint(&words) }
    }

    fn publish(&self, starting: &StartingNetwork, deadline: Instant) -> Result<Option<Forwards>, Error> {
        let inside = addresses::of_slirp4netns(&options(&starting.request));
        let ports: Vec<_> = starting.request.ports.iter().filter(|port| !self.leaves_to_relay(port)).collect();
        Forwards::ask(&starting.request, &ports, self.name(), inside.ip, deadline)
    }
}

/// The options, which were checked when the container was created.
fn options(request: &Request) -> Slirp4netnsOptions {
    Slirp4netnsOptions::read(&request.options).unwrap_or_default()
}

/// The options in the helper's own words; what is its default is left out.
fn words(options: &Slirp4netnsOptions) -> Vec<String> {
    let Slirp4netnsOptions { allow_host_loopback, enable_ipv6, mtu, cidr, outbound_addr, outbound_addr6 } = options;
    let mut words = vec![format!("--mtu={mtu}")];
    if !allow_host_loopback {
        words.push("--disable-host-loopback".to_owned());
    }
    if *enable_ipv6 {
        words.push("--enable-ipv6".to_owned());
    }
    if *cidr != Slirp4netnsOptions::default().cidr {
        words.push(format!("--cidr={}/{}", cidr.0, cidr.1));
    }
    words.extend(outbound_addr.iter().map(|from| format!("--outbound-addr={from}")));
    words.extend(outbound_addr6.iter().map(|from| format!("--outbound-addr6={from}")));
    words
}

/// The only ID of a namespace, by its `uid_map` or `gid_map`, if that is not 0.
fn only_id(map: &str) -> Option<u32> {
    let mut numbers = map.split_ascii_whitespace().map(str::parse::<u32>);
    match (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()) {
        (Ok(id), Ok(_), Ok(1), None) if id != 0 => Some(id),
        _ => None,
    }
}

/// What the helper complains about, without the lines that say what it does.
fn complaint(words: &str) -> String {
    let says_progress = |line: &&str| {
        let progress = ["sent tapfd=", "received tapfd=", "Starting slirp", "* ", "WARNING: "];
        progress.iter().any(|start| line.starts_with(start))
    };
    let lines: Vec<_> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let complaints: Vec<_> = lines.iter().copied().filter(|line| !says_progress(line)).collect();
    if complaints.is_empty() { lines.join("; ") } else { complaints.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_the_helper_s_words() {
        let of = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
            words(&Slirp4netnsOptions::read(&texts).expect("options")).join(" ")
        };
        assert_eq!(of(&[]), "--mtu=65520 --disable-host-loopback");
        assert_eq!(of(&["allow_host_loopback=true", "mtu=1500", "enable_ipv6=true"]), "--mtu=1500 --enable-ipv6");
        assert_eq!(
            of(&["cidr=10.9.0.0/16", "outbound_addr=192.0.2.1", "outbound_addr6=eth1"]),
            "--mtu=65520 --disable-host-loopback --cidr=10.9.0.0/16 --outbound-addr=192.0.2.1 --outbound-addr6=eth1"
        );
    }

    #[test]
    fn a_complaint_is_one_line_without_progress() {
        for (words, expected) in [
            ("sent tapfd=8 for tap0\nseteuid(0)\n: Invalid argument", "seteuid(0); : Invalid argument"),
            ("open(\"/dev/net/tun\"): No such file", "open(\"/dev/net/tun\"): No such file"),
            ("sent tapfd=8 for tap0", "sent tapfd=8 for tap0"),
            ("", ""),
        ] {
            assert_eq!(complaint(words), expected);
        }
    }

    #[test]
    fn a_namespace_without_id_0_is_recognized() {
        for (map, expected) in [
            ("      1000          0          1\n", Some(1000)),
            ("         0          0          1\n", None),
            ("         0       1000          1\n         1     100000      65536\n", None),
            ("", None),
        ] {
            assert_eq!(only_id(map), expected, "{map:?}");
        }
    }
}
