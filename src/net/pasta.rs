//! pasta: sockets of the host, spliced or translated to a tap device in the container.
//!
//! The same options work in Debian 12's version of 2023 and in every later one, so rc need not read its `--help`. The
//! container gets an address of its own (pasta's default is the host's): so the host's outward address means the host,
//! without `--map-guest-addr`, which old versions lack. `--no-map-gw` closes the host's loopback in all versions (newer
//! ones treat it as `--map-host-loopback none`).
//!
//! pasta reports that it is ready by writing its pid file, after the ports listen. The "file" is a pipe on its standard
//! output, through `/proc/self/fd/1`: there is no file to watch or sweep, or that an AppArmor profile could refuse; and
//! if pasta ends, the pipe ends.
//!
//! Debian 12's version does not complete the handshake of a TCP connection to an address other than loopback before the
//! client sends data: a protocol in which the server speaks first (SSH, SMTP) hangs. Later versions and slirp4netns do
//! not have this fault.
//!
//! Source: pasta(1).

use std::ffi::CString;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::addresses::{Addresses, USER_MODE, in_range};
use super::driver::{Driver, StartingNetwork};
use super::error::Error;
use super::helper::{Process, text};
use super::ports;
use super::request::Request;
use crate::sys::spawn::{Program, spawn};
use crate::types::{NetworkDriver, PastaOptions, PortMapping, Protocol};

/// The driver.
#[derive(Debug)]
pub(super) struct Pasta;

impl Driver for Pasta {
    fn name(&self) -> &'static str {
        NetworkDriver::Pasta.as_str()
    }

    fn addresses(&self, request: &Request) -> Option<Addresses> {
        Some(addresses(request))
    }

    fn validate(&self, request: &Request) -> Result<(), Error> {
        request.programs.find(NetworkDriver::Pasta)?;
        ports::check_free(published(request))
    }

    fn start(&self, request: &Request, target: i32) -> Result<StartingNetwork, Error> {
        let path = request.programs.find(NetworkDriver::Pasta)?;
        // pasta binds UDP ports with SO_REUSEADDR, so two instances can bind the same port and the later one gets the
        // packets (tested). So only one of ours at a time checks whether the port is free and binds it.
        let lock = if published(request).next().is_some() { Some(ports::turn(request)?) } else { None };
        ports::check_free(published(request).filter(|port| port.protocol == Protocol::Udp))?;

        let (ready, ready_in) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno: Errno| Error::Talk {
            driver: self.name(),
            step: "create a pipe",
            source: errno.into(),
        })?;
        let program = Program {
            path: &text(path.as_os_str().as_bytes()),
            argv: &arguments(request, target, rustix::process::geteuid().is_root()),
            env: &[],
            descriptors: &[(ready_in.as_fd(), 1)],
            own_mounts: false,
        };
        let helper = spawn(&program).map_err(|source| Error::Spawn { program: path, source })?;
        let process = Process { helper, ready, _exit: None };
        Ok(StartingNetwork {
            driver: &Self,
            request: request.clone(),
            target,
            process: Some(process),
            relay: None,
            _lock: lock,
        })
    }

    fn explain(&self, starting: &StartingNetwork, error: Error) -> Error {
        if let Err(port) = ports::check_free(published(&starting.request)) {
            return port;
        }
        match error {
            Error::HelperEnded { driver, ended, words } => {
                // Without a system logger, old versions print complaints between the relevant lines.
                let lines: Vec<_> = words.lines().filter(|line| !line.starts_with("Failed to send ")).collect();
                Error::HelperEnded { driver, ended, words: lines.join("; ") }
            }
            other => other,
        }
    }
}

fn addresses(request: &Request) -> Addresses {
    request.range.map_or(USER_MODE, |range| in_range(range.network(), range.prefix_len()))
}

fn arguments(request: &Request, target: i32, as_root: bool) -> Vec<CString> {
    let mut words: Vec<String> =
        ["pasta", "--foreground", "--quiet", "--config-net", "-I", request.interface].map(str::to_owned).into();
    let Addresses { ip, prefix, gateway, name_server } = addresses(request);
    words.extend(["-a".to_owned(), ip.to_string(), "-n".to_owned(), prefix.to_string()]);
    words.extend(["-g".to_owned(), gateway.to_string(), "--dns-forward".to_owned(), name_server.to_string()]);
    // Checked when the container was created.
    let PastaOptions { map_gateway, tcp_inward, udp_inward, words: asked } =
        PastaOptions::read(&request.options).unwrap_or_default();
    if !map_gateway {
        words.push("--no-map-gw".to_owned());
    }
    words.extend(asked);
    if as_root {
        // Otherwise it would switch to `nobody`, who may not join our user's namespaces.
        words.extend(["--runas", "0:0"].map(str::to_owned));
    }
    for (option, protocol) in [("-t", Protocol::Tcp), ("-u", Protocol::Udp)] {
        let published: Vec<_> = published(request).filter(|port| port.protocol == protocol).map(forward).collect();
        let published = if published.is_empty() { vec!["none".to_owned()] } else { published };
        // One option for each port: pasta gives up only if all ports of an option fail.
        words.extend(published.into_iter().flat_map(|port| [option.to_owned(), port]));
    }
    let none = || "none".to_owned();
    words.extend(["-T".to_owned(), tcp_inward.unwrap_or_else(none), "-U".to_owned(), udp_inward.unwrap_or_else(none)]);
    words.extend(["--pid", "/proc/self/fd/1"].map(str::to_owned));
    words.push(target.to_string());
    words.into_iter().map(text).collect()
}

fn published(request: &Request) -> impl Iterator<Item = &PortMapping> {
    request.ports.iter().filter(|port| !Pasta.leaves_to_relay(port))
}

/// A port in pasta's syntax: `address/port:port`.
fn forward(port: &PortMapping) -> String {
    let listen: SocketAddr = port.listen_address();
    format!("{}/{}:{}", listen.ip(), listen.port(), port.container_port)
}

#[cfg(test)]
mod tests {
    use super::super::addresses::INTERFACE;
    use super::super::programs::Programs;
    use super::*;

    fn words_for(ports: Vec<PortMapping>, options: &[&str]) -> String {
        let options = options.iter().map(|&word| word.to_owned()).collect();
        let programs = Programs::default();
        let (directory, locks) = ("/".into(), "/".into());
        let name = "web".to_owned();
        let request = Request { name, ports, options, range: None, programs, interface: INTERFACE, directory, locks };
        let words: Vec<_> =
            arguments(&request, 7, false).iter().map(|word| word.to_string_lossy().into_owned()).collect();
        words.join(" ")
    }

    #[test]
    fn options_are_passed_on() {
        assert_eq!(
            words_for(Vec::new(), &["-4", "--mtu", "1400", "--map-gw", "-T", "5432"]),
            "pasta --foreground --quiet --config-net -I eth0 -a 10.0.2.100 -n 24 -g 10.0.2.2 --dns-forward 10.0.2.3 \
             -4 --mtu 1400 -t none -u none -T 5432 -U none --pid /proc/self/fd/1 7"
        );
    }

    #[test]
    fn ports_become_options_of_their_own() {
        let port = |ip: &str, host_port, protocol| PortMapping {
            host_ip: ip.parse().ok(),
            host_port,
            container_port: 80,
            protocol,
        };
        let ports = vec![
            port("", 8080, Protocol::Tcp),
            port("::1", 8081, Protocol::Tcp),
            port("", 53, Protocol::Udp),
            port("127.0.0.1", 54, Protocol::Udp),
        ];
        assert_eq!(
            words_for(ports, &[]),
            "pasta --foreground --quiet --config-net -I eth0 -a 10.0.2.100 -n 24 -g 10.0.2.2 --dns-forward 10.0.2.3 \
             --no-map-gw -t 0.0.0.0/8080:80 -t ::1/8081:80 -u 0.0.0.0/53:80 -T none -U none --pid /proc/self/fd/1 7"
        );
    }
}
