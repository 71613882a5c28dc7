//! The servers that everything else is asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::watched::Watched;
use crate::sys::{fs, netif};

/// The most that is read of the host's file, in bytes.
const LIMIT: u64 = 256 << 10;
/// How many servers of the host's file count, as for the C library. Source: resolv.conf(5), `MAXNS`.
const MOST: usize = 3;
/// How long a server that did not answer in time is asked after the others.
const SULK: Duration = Duration::from_secs(30);

/// The host's servers, and which of all servers have been slow.
#[derive(Debug)]
pub(super) struct Upstream {
    file: Watched<Vec<SocketAddr>>,
    port: u16,
    slow: HashMap<SocketAddr, Instant>,
}

impl Upstream {
    /// The servers in the file `path`, at this port.
    pub(super) fn new(path: PathBuf, port: u16) -> Self {
        Self { file: Watched::new(path), port, slow: HashMap::new() }
    }

    /// The servers to ask, in order: `asked`, else those of the host's file as it is now, else the local machine.
    /// Source: resolv.conf(5), `nameserver`.
    pub(super) fn servers(&mut self, asked: &[IpAddr]) -> Vec<SocketAddr> {
        let port = self.port;
        let mut servers: Vec<SocketAddr> = asked.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        if servers.is_empty() {
            servers.clone_from(self.file.get(|path, _| read(path, port)));
        }
        if servers.is_empty() {
            servers.push((Ipv4Addr::LOCALHOST, port).into());
        }
        if !self.slow.is_empty() {
            self.slow.retain(|_, since| since.elapsed() < SULK);
            servers.sort_by_key(|server| self.slow.contains_key(server));
        }
        servers
    }

    /// The server did not answer in time.
    pub(super) fn was_slow(&mut self, server: SocketAddr) {
        self.slow.insert(server, Instant::now());
    }

    /// The server has answered.
    pub(super) fn answers(&mut self, server: SocketAddr) {
        self.slow.remove(&server);
    }
}

fn read(path: &Path, port: u16) -> Vec<SocketAddr> {
    let bytes = fs::read_regular(path, LIMIT).unwrap_or_default();
    parse(&String::from_utf8_lossy(&bytes), port)
}

/// The servers in the text of a `resolv.conf`. Unlike a container's, they may have a scope (`fe80::1%wlan0`), as home
/// routers announce them.
fn parse(text: &str, port: u16) -> Vec<SocketAddr> {
    let words = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())
    });
    words.filter_map(|word| server(word, port)).take(MOST).collect()
}

fn server(word: &str, port: u16) -> Option<SocketAddr> {
    let Some((address, scope)) = word.split_once('%') else {
        return word.parse().ok().map(|ip| SocketAddr::new(ip, port));
    };
    let scope = scope.parse().ok().or_else(|| netif::index(scope))?;
    Some(SocketAddrV6::new(address.parse().ok()?, port, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_the_c_library_reads_them() {
        let text = "# nameserver 1.1.1.1\nnameserver 192.0.2.53 # first\n nameserver\t2001:db8::53\nnameserver\n\
                    nameserver 127.0.0.300\nnameserver fe80::1%nowhere0\nnameserver fe80::1%lo\nnameserver 9.9.9.9\n";
        let servers: Vec<String> = parse(text, 53).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:53", "[fe80::1%1]:53"]);
    }

    #[test]
    fn a_slow_server_is_asked_last_until_it_answers() {
        let mut upstream = Upstream::new("/nonexistent".into(), 53);
        let asked: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        let first = |upstream: &mut Upstream| upstream.servers(&asked)[0].ip();
        assert_eq!(first(&mut upstream), asked[0]);
        upstream.was_slow((asked[0], 53).into());
        assert_eq!(first(&mut upstream), asked[1]);
        upstream.answers((asked[0], 53).into());
        assert_eq!(first(&mut upstream), asked[0]);
        assert_eq!(upstream.servers(&[]), [(Ipv4Addr::LOCALHOST, 53).into()]);
    }
}
