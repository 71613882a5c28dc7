//! A store with networks and members, and a server of one of them.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use tempfile::TempDir;

use super::{ip, name};
use crate::net::dns::owners::Locks;
use crate::net::dns::server::Server;
use crate::net::dns::settings::Settings;
use crate::net::dns::sockets::Sockets;
use crate::net::lease::{Lease, NewLease, Owner};
use crate::net::record::Networks;
use crate::sys::fs;
use crate::types::{ContainerId, Name, NetworkRecord, Subnet};

/// Where the server of `app` is.
const GATEWAY: &str = "127.1.0.1";

/// A store.
pub(super) struct Store {
    home: TempDir,
    networks: Networks,
}

/// A member of networks, alive while this is.
pub(super) struct Member {
    pub(super) leases: Vec<(Name, Lease)>,
    /// Locked by its description: that counts as another process's lock.
    _lock: File,
}

impl Store {
    /// With the networks `app`, 127.1.0.0/16, and `other`, 127.2.0.0/16.
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().expect("directory");
        let store = Self { networks: Networks::of(home.path()), home };
        store.create(&record("app", "127.1.0.0/16"));
        store.create(&record("other", "127.2.0.0/16"));
        store
    }

    pub(super) fn create(&self, record: &NetworkRecord) {
        self.networks.create(record).expect("created");
    }

    pub(super) fn change(&self, network: &str, change: impl FnOnce(&mut NetworkRecord)) {
        let mut locked = self.networks.lock(&name(network)).expect("locked").expect("there");
        let mut record = locked.record.clone();
        change(&mut record);
        locked.replace(record).expect("replaced");
    }

    /// The host's file, which names these servers.
    pub(super) fn resolv_conf(&self, servers: &[IpAddr]) -> PathBuf {
        let path = self.home.path().join("resolv.conf");
        let lines: Vec<String> = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        fs::write(&path, lines.concat()).expect("written");
        path
    }

    /// A member with this number and name, with an address in each of the networks.
    pub(super) fn member(&self, number: u32, text: &str, addresses: &[(&str, &str)]) -> Member {
        self.member_with(number, text, addresses, |_| {})
    }

    pub(super) fn member_with(
        &self,
        number: u32,
        text: &str,
        addresses: &[(&str, &str)],
        change: impl Fn(&mut NewLease),
    ) -> Member {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let id = ContainerId::from_bytes(bytes);
        let directory = self.home.path().join(format!("containers/{id}"));
        fs::create_dir_all(&directory).expect("directory");
        let lock = locked(&directory.join("lock"));
        let networks: Vec<Name> = addresses.iter().map(|(network, _)| name(network)).collect();
        let leases = addresses.iter().map(|(network, address)| {
            let mut new = NewLease {
                owner: Owner::container(&id),
                name: name(text),
                names: vec![text.to_owned()],
                wanted: if address.is_empty() { Vec::new() } else { vec![ip(address)] },
                mac: None,
                interface: "eth0".to_owned(),
                networks: networks.clone(),
                dns: Vec::new(),
                has_helper: false,
                links: Vec::new(),
                descriptor: None,
                init: None,
            };
            change(&mut new);
            let locked = self.networks.lock(&name(network)).expect("locked").expect("there");
            (name(network), locked.allocate(new).expect("a lease"))
        });
        Member { leases: leases.collect(), _lock: lock }
    }

    /// The member ends as it should.
    pub(super) fn release(&self, member: Member) {
        for (network, lease) in &member.leases {
            self.networks.release(network, lease).expect("released");
        }
        drop(member);
    }

    /// Serves `app`, with the host's file `resolv_conf` and its servers at `port`.
    pub(super) fn serve(&self, resolv_conf: PathBuf, port: u16) -> Running {
        let sockets = Sockets::open_at([SocketAddr::new(ip(GATEWAY), 0)].into_iter()).expect("sockets");
        let address = sockets.datagrams[0].local_addr().expect("address");
        let settings = Settings { resolv_conf, port, ..Settings::new(self.home.path(), name("app")) };
        let (ends, end) = pipe_with(PipeFlags::CLOEXEC).expect("pipe");
        let thread = std::thread::spawn(move || {
            let locks = Locks::Here(settings.root.clone().into());
            let mut server = Server::new(sockets, settings, locks).expect("server");
            loop {
                let mut polled = [PollFd::new(&server, PollFlags::IN), PollFd::new(&ends, PollFlags::IN)];
                poll(&mut polled, None).expect("poll");
                let [_, ends] = polled.map(|fd| !fd.revents().is_empty());
                if ends {
                    return;
                }
                server.serve().expect("served");
            }
        });
        Running { address, end: Some(end), thread: Some(thread) }
    }
}

pub(super) fn record(text: &str, subnet: &str) -> NetworkRecord {
    let subnet = Subnet::whole(subnet.parse().expect("a subnet"));
    let subnets = vec![subnet];
    NetworkRecord { name: name(text), subnets, dns_enabled: true, ..NetworkRecord::default_network() }
}

/// Takes the lock of an owner by its description: that counts as another process's.
pub(in crate::net::dns) fn locked(path: &std::path::Path) -> File {
    let options = File::options().create(true).truncate(false).read(true).write(true).clone();
    let file = fs::open_with(path, &options).expect("a file");
    let all = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).expect("short"),
        l_whence: i16::try_from(libc::SEEK_SET).expect("short"),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&all)).expect("locked");
    file
}

/// A server that runs. It ends when this is dropped.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    end: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// A socket that asks from this address.
    pub(super) fn asker(&self, from: &str) -> UdpSocket {
        let socket = UdpSocket::bind((ip(from), 0)).expect("bind");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("timeout");
        socket.connect(self.address).expect("connect");
        socket
    }

    /// Asks from this address, and waits for the answer.
    pub(super) fn ask(&self, from: &str, query: &[u8]) -> Vec<u8> {
        ask(&self.asker(from), query)
    }

    /// A connection. The asker is then the network itself: there is no way to choose the address.
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("timeout");
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server has panicked");
        }
    }
}

pub(super) fn ask(socket: &UdpSocket, query: &[u8]) -> Vec<u8> {
    socket.send(query).expect("send");
    receive(socket)
}

pub(super) fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut space = vec![0; 1 << 16];
    let length = socket.recv(&mut space).expect("an answer");
    space.truncate(length);
    space
}
