//! The host's side, in a network and a mount namespace that stand for the host: its name servers are ours, and nobody
//! else sends packets. Only root may make them.

use std::fs;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{address, create};
use crate::support::name_server::{By, NameServer, answer};
use crate::support::{Lab, Running};

/// A host of its own.
struct Host<'a> {
    lab: &'a Lab,
    holder: Running,
}

impl<'a> Host<'a> {
    fn new(lab: &'a Lab) -> Self {
        let resolv_conf = lab.work("resolv.conf");
        fs::write(&resolv_conf, "").expect("written");
        // A default route, so that there is an outward address; nothing answers there. Without IPv6 the kernel itself
        // sends nothing.
        let script = format!(
            "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up && \
             ip link add out type veth peer name in2 && ip address add 192.0.2.2/24 dev out && \
             ip link set out up && ip link set in2 up && ip route add default via 192.0.2.1 && \
             mount --bind {} /etc/resolv.conf && echo ready && exec sleep 1000",
            resolv_conf.display()
        );
        let holder = lab.program("unshare", ["-n", "-m", "sh", "-c", &script]).start();
        holder.line("ready");
        Self { lab, holder }
    }

    /// The host's file now names these servers.
    fn asks(&self, servers: &[&str]) {
        let lines: Vec<_> = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        fs::write(self.lab.work("resolv.conf"), lines.concat()).expect("written");
    }

    /// A name server of the host, which answers with one address.
    fn server(&self, ip: &str, address: [u8; 4]) -> NameServer {
        self.serve(ip, move |_, query| vec![answer(query, 0, &[address])])
    }

    fn serve(&self, ip: &str, respond: impl Fn(By, &[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static) -> NameServer {
        let ip: IpAddr = ip.parse().expect("an address");
        let namespace = fs::File::open(format!("/proc/{}/ns/net", self.leader())).expect("a namespace");
        // The sockets belong to the namespace that their maker is in.
        let maker = std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("entered");
            NameServer::start(ip, 53, respond).expect("a server")
        });
        maker.join().expect("a server")
    }

    /// The process in the namespaces: below the supervisor that every command of a test has.
    fn leader(&self) -> i32 {
        let children = |pid: i32| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let mut pid = self.holder.pid();
        while let Some(child) = children(pid).split_whitespace().next().and_then(|word| word.parse().ok()) {
            pid = child;
        }
        pid
    }

    fn rc<'b>(&self, words: impl IntoIterator<Item = &'b str>) -> String {
        let pid = self.leader().to_string();
        let rc = Lab::rc_path().to_str().expect("a path");
        self.lab.program("nsenter", ["-t", &pid, "-n", "-m", rc]).args(words).run().text()
    }

    fn start(&self, name: &str, options: &[&str]) {
        self.rc([&["run", "-d", "--name", name], options, &["payload", "/payload", "tcp", "7"]].concat());
        self.lab.ready(name);
    }

    fn look_up(&self, asker: &str, by: &str, name: &str) -> String {
        self.rc(["exec", asker, "/payload", "look-up", by, "a", name]).trim().to_owned()
    }

    /// How many packets have left the host, by all interfaces, and how many it has sent to itself.
    fn packets(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/net/dev", self.leader())).expect("counters");
        let sent =
            text.lines().filter_map(|line| line.split_once(':')?.1.split_whitespace().nth(9)?.parse::<u64>().ok());
        sent.sum()
    }

    fn end(self) {
        self.lab.remove_containers();
        self.holder.kill_if_alive();
        drop(self.holder.wait());
    }
}

#[test]
fn other_names_are_asked_where_the_host_asks_now() {
    only!(Root);
    let lab = Lab::with_payload();
    create(&lab, "app", 1, &[]);
    let host = Host::new(&lab);
    let stub = host.server("127.0.0.53", [192, 0, 2, 53]);
    let vpn = host.server("127.0.0.99", [192, 0, 2, 99]);
    host.asks(&["127.0.0.53"]);
    host.start("web", &["--network", "app"]);
    for by in ["udp", "tcp"] {
        host.asks(&["127.0.0.53"]);
        assert_eq!(host.look_up("web", by, "example.com"), "192.0.2.53");
        host.asks(&["127.0.0.99"]);
        assert_eq!(host.look_up("web", by, "example.com"), "192.0.2.99");
        // The first one is not there.
        host.asks(&["127.0.0.98", "127.0.0.99"]);
        assert_eq!(host.look_up("web", by, "example.com"), "192.0.2.99");
    }
    assert_eq!(host.look_up("web", "udp", "host.containers.internal"), "192.0.2.2");
    // `--dns` comes before the host's, and one that says nothing is asked before the next one for two seconds.
    let silent = host.serve("127.0.0.97", |_, _| Vec::new());
    host.start("db", &["--network", "app", "--dns", "127.0.0.97", "--dns", "127.0.0.53"]);
    let start = Instant::now();
    assert_eq!(host.look_up("db", "udp", "example.com"), "192.0.2.53");
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(silent.asked().len(), 1);
    // A container with a helper of its own in an internal network.
    lab.rc(["network", "create", "--internal", "inner"]).run().succeeds();
    host.start("own", &["--network", "slirp4netns"]);
    host.rc(["network", "connect", "inner", "own"]);
    assert_eq!(host.look_up("own", "udp", "own"), address(&lab, "own", "inner"));
    assert_eq!(host.look_up("own", "udp", "example.com"), "192.0.2.99");
    assert!(host.rc(["exec", "own", "/payload", "read", "/etc/hosts"]).contains("192.0.2.2\thost.containers.internal"));
    let asked = vpn.asked();
    assert!(asked.iter().all(|(_, peer, _)| peer.ip().is_loopback() && peer.port() != 53), "{asked:?}");
    host.end();
    drop((stub, vpn, silent));
}

#[test]
fn n5_no_packet_leaves_the_host_for_an_internal_network() {
    only!(Root);
    let lab = Lab::with_payload();
    create(&lab, "app", 1, &["--internal"]);
    let host = Host::new(&lab);
    let server = host.server("127.0.0.53", [192, 0, 2, 53]);
    host.asks(&["127.0.0.53", "192.0.2.1"]);
    host.start("web", &["--network", "app", "--dns", "127.0.0.53"]);
    let before = host.packets();
    for name in ["example.com", "nas", "host.docker.internal", "x.dns.podman"] {
        for by in ["udp", "tcp"] {
            assert_eq!(host.look_up("web", by, name), "NXDOMAIN", "{name}");
        }
    }
    assert_eq!(host.look_up("web", "udp", "web"), address(&lab, "web", "app"));
    assert_eq!(host.packets(), before);
    assert_eq!(server.asked(), []);
    host.end();
}
