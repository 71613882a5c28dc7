//! One suite that every driver with a helper must pass, in real namespaces of an ordinary user.
//!
//! The programs inside the "container" are this test binary again: [`inside`] plays the part that `RC_TEST_INSIDE`
//! names.
//!
//! What rc's own relay serves is tested in tests/it: a program with threads, like this one, cannot fork it.
//!
//! A driver checks whether a port is free by binding it for a moment, and a child that another test starts in that
//! moment has a copy of the socket until it executes: so `scripts/test` runs these tests with one thread.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Error, Programs, Request, Running, addresses, endpoint_driver, test_port};
use crate::types::{Network, NetworkDriver, PortMapping, Protocol};

const PATIENCE: Duration = Duration::from_secs(30);

/// The programs inside: not a test, but a part that a test starts in the container's namespaces.
#[test]
fn inside() {
    let Ok(part) = std::env::var("RC_TEST_INSIDE") else { return };
    let words: Vec<_> = part.split(' ').collect();
    let say = |word: &str| std::io::stdout().write_all(format!("\ninside: {word}\n").as_bytes()).expect("say");
    match words[..] {
        ["pause"] => {
            crate::sys::netif::set_up(c"lo").expect("loopback");
            say("ready");
            std::io::stdin().read_to_end(&mut Vec::new()).expect("wait");
        }
        ["tcp", address] => {
            let listener = TcpListener::bind(address).expect("bind");
            say("ready");
            for stream in listener.incoming() {
                let mut stream = stream.expect("accept");
                let peer = stream.peer_addr().expect("peer").ip().to_string();
                // The client sends first: otherwise pasta of 2023 delays the end of the handshake.
                stream.read_exact(&mut [0]).expect("read");
                stream.write_all(peer.as_bytes()).expect("write");
            }
        }
        ["udp", address] => {
            let socket = UdpSocket::bind(address).expect("bind");
            say("ready");
            loop {
                let (_, peer) = socket.recv_from(&mut [0; 64]).expect("receive");
                socket.send_to(peer.ip().to_string().as_bytes(), peer).expect("send");
            }
        }
        ["connect", seconds, address] => {
            let address: SocketAddr = address.parse().expect("address");
            match TcpStream::connect_timeout(&address, Duration::from_secs(seconds.parse().expect("seconds"))) {
                Ok(mut stream) => {
                    let mut text = String::new();
                    stream.write_all(b"?").expect("write");
                    stream.read_to_string(&mut text).expect("read");
                    say(&format!("connected {text}"));
                }
                Err(_) => say("refused"),
            }
        }
        _ => panic!("no such part: {part}"),
    }
}

/// A running part; ends when its standard input ends.
struct Part {
    child: Child,
    _input: ChildStdin,
    said: String,
}

impl Part {
    /// Starts a part through `wrapper`, and waits until it has printed something.
    fn start(wrapper: &[&str], part: &str) -> Self {
        let mut child = Command::new(wrapper[0])
            .args(&wrapper[1..])
            .arg(std::env::current_exe().expect("exe"))
            .args(["--exact", "net::suite::inside", "--nocapture"])
            .env("RC_TEST_INSIDE", part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start");
        let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let said = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("inside: ").map(str::to_owned));
        let _input = child.stdin.take().expect("stdin");
        Self { child, _input, said: said.unwrap_or_else(|| panic!("`{part}` said nothing")) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }
}

/// A user and network namespace, as a container has.
struct Container {
    pause: Part,
    directory: tempfile::TempDir,
    /// Shared by the containers of a test, as by those of a user.
    locks: Arc<tempfile::TempDir>,
}

impl Container {
    fn new() -> Self {
        Self::with(Arc::new(tempfile::tempdir().expect("directory")))
    }

    /// Two containers of one user.
    fn pair() -> (Self, Self) {
        let first = Self::new();
        let second = Self::with(Arc::clone(&first.locks));
        (first, second)
    }

    fn with(locks: Arc<tempfile::TempDir>) -> Self {
        let pause = Part::start(&["unshare", "-Urn", "--"], "pause");
        Self { pause, directory: tempfile::tempdir().expect("directory"), locks }
    }

    fn pid(&self) -> i32 {
        self.pause.child.id().try_into().expect("pid")
    }

    fn part(&self, part: &str) -> Part {
        let pid = self.pid().to_string();
        Part::start(&["nsenter", "--preserve-credentials", "-U", "-n", "-t", &pid, "--"], part)
    }

    fn request(&self, ports: &[PortMapping]) -> Request {
        let directory = self.directory.path().to_owned();
        let locks = self.locks.path().to_owned();
        let (ports, programs) = (ports.to_vec(), Programs::default());
        let (name, interface) = ("web".to_owned(), addresses::INTERFACE);
        Request { name, ports, options: Vec::new(), range: None, programs, interface, directory, locks }
    }

    fn up(&self, driver: NetworkDriver, ports: &[PortMapping]) -> Result<Running, Error> {
        let request = self.request(ports);
        let driver = endpoint_driver(driver)?;
        driver.validate(&request)?;
        driver.start(&request, self.pid())?.wait_ready(Instant::now() + PATIENCE)
    }
}

/// Whether the driver can be tested on this host; prints the reason if not.
fn is_here(driver: NetworkDriver) -> bool {
    let tun = rustix::fs::access("/dev/net/tun", rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK);
    let unshared = Command::new("unshare").args(["-Urn", "true"]).status();
    let reason = if let Err(error) = Programs::default().find(driver) {
        error.to_string()
    } else if let Err(errno) = tun {
        format!("/dev/net/tun: {errno}")
    } else if !unshared.is_ok_and(|status| status.success()) {
        "no user namespaces, or no `unshare`".to_owned()
    } else {
        return true;
    };
    assert!(std::env::var_os("RC_TEST_STRICT").is_none(), "{reason}");
    std::io::stderr().write_all(format!("skipped: {}: {reason}\n", driver.as_str()).as_bytes()).expect("say");
    false
}

/// The outward address; a host without a route has none, and the test is skipped.
fn outward() -> Option<String> {
    let outward = addresses::outward().map(|address| address.to_string());
    assert!(outward.is_some() || std::env::var_os("RC_TEST_STRICT").is_none(), "no default route");
    outward
}

fn published(host_ip: Option<&str>, protocol: Protocol) -> PortMapping {
    let host_ip = host_ip.map(|ip| ip.parse().expect("address"));
    PortMapping { host_ip, host_port: test_port::take(1), container_port: 8080, protocol }
}

fn ask_tcp(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"?")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Asks again each second, as a datagram may be lost on a busy machine.
fn ask_udp(address: SocketAddr) -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("bind");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("timeout");
    let mut answer = [0; 64];
    let mut ask = || {
        socket.send_to(b"?", address).expect("send");
        socket.recv_from(&mut answer)
    };
    let (length, _) = (1..PATIENCE.as_secs()).find_map(|_| ask().ok()).unwrap_or_else(|| ask().expect("answer"));
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn tcp_port_is_published(driver: NetworkDriver) {
    let container = Container::new();
    let port = published(None, Protocol::Tcp);
    let _network = container.up(driver, std::slice::from_ref(&port)).expect("up");
    let _server = container.part("tcp 0.0.0.0:8080");
    ask_tcp(loopback(port.host_port)).expect("by loopback");
    let Some(outward) = addresses::outward() else { return };
    let seen = ask_tcp(SocketAddr::new(outward, port.host_port)).expect("by the outward address");
    assert_eq!(seen, outward.to_string());
    // IPv6 is not opened unless it is requested.
    assert!(ask_tcp(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port.host_port))).is_err());
}

fn tcp_port_listens_on_the_given_address_alone(driver: NetworkDriver) {
    let container = Container::new();
    let port = published(Some("127.0.0.1"), Protocol::Tcp);
    let _network = container.up(driver, std::slice::from_ref(&port)).expect("up");
    let _server = container.part("tcp 0.0.0.0:8080");
    ask_tcp(loopback(port.host_port)).expect("by loopback");
    let Some(outward) = addresses::outward() else { return };
    assert!(ask_tcp(SocketAddr::new(outward, port.host_port)).is_err());
}

fn udp_port_is_published(driver: NetworkDriver, outward: &str) {
    let container = Container::new();
    let port = published(Some(outward), Protocol::Udp);
    let _network = container.up(driver, std::slice::from_ref(&port)).expect("up");
    let _server = container.part("udp 0.0.0.0:8080");
    assert_eq!(ask_udp(port.listen_address()), outward);
}

fn host_loopback_is_closed_and_outward_address_open(driver: NetworkDriver) {
    let container = Container::new();
    let _network = container.up(driver, &[]).expect("up");
    let own = addresses::of(&driver.into()).expect("addresses");
    let closed = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = closed.local_addr().expect("address").port();
    for way in ["127.0.0.1".to_owned(), own.gateway.to_string(), own.name_server.to_string(), "169.254.1.2".to_owned()]
    {
        assert_eq!(container.part(&format!("connect 1 {way}:{port}")).said, "refused", "by {way}");
    }
    if let Ok(closed) = TcpListener::bind("[::1]:0") {
        let port = closed.local_addr().expect("address").port();
        assert_eq!(container.part(&format!("connect 1 [::1]:{port}")).said, "refused", "by ::1");
    }
    let Some(outward) = addresses::outward() else { return };
    let open = Part::start(&["env"], &format!("tcp {outward}:{port}"));
    assert_eq!(open.said, "ready");
    let said = container.part(&format!("connect 30 {outward}:{port}")).said.clone();
    assert_eq!(said, format!("connected {outward}"));
}

fn taken_port_is_named(driver: NetworkDriver, host_ip: &str, protocol: Protocol) {
    let (first, second) = Container::pair();
    let port = published(Some(host_ip), protocol);
    let network = first.up(driver, std::slice::from_ref(&port)).expect("up");
    let sentence = format!("cannot publish port `{host_ip}:{}/{protocol}`: the port is in use", port.host_port);
    let early = second.up(driver, std::slice::from_ref(&port)).map(drop).map_err(|error| error.to_string());
    assert_eq!(early, Err(sentence.clone()));
    // As if the port had been taken after the check.
    let starting =
        endpoint_driver(driver).expect("driver").start(&second.request(std::slice::from_ref(&port)), second.pid());
    let late = starting.and_then(|starting| starting.wait_ready(Instant::now() + PATIENCE));
    assert_eq!(late.map(drop).map_err(|error| error.to_string()), Err(sentence));
    assert_eq!(crate::sys::fs::read_dir(second.directory.path()).expect("directory").count(), 0);
    drop(network);
    second.up(driver, std::slice::from_ref(&port)).expect("the port is free when the network is down");
}

fn of_two_racing_starts_exactly_one_wins(driver: NetworkDriver, host_ip: &str, protocol: Protocol) {
    let (first, second) = Container::pair();
    for _ in 0..10 {
        let ports = [published(Some(host_ip), protocol)];
        // A helper dies with the thread that started it, so each waits for the other before it drops its helper.
        let barrier = std::sync::Barrier::new(2);
        let run = |container: &Container| {
            let result = container.up(driver, &ports);
            barrier.wait();
            result.map(drop).map_err(|error| error.to_string())
        };
        let won = std::thread::scope(|scope| {
            let other = scope.spawn(|| run(&first));
            [run(&second), other.join().expect("join")]
        });
        assert_eq!(won.iter().filter(|won| won.is_ok()).count(), 1, "{won:?}");
    }
}

fn helper_ends_with_its_network(driver: NetworkDriver) {
    let container = Container::new();
    let network = container.up(driver, &[]).expect("up");
    let pid = rustix::process::Pid::from_raw(network.pid().expect("pid")).expect("pid");
    drop(network);
    assert_eq!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH));
}

/// Only slirp4netns can free them that early; pasta reports that it cannot.
fn ports_are_freed_before_the_helper_ends(driver: NetworkDriver, outward: &str) {
    let (first, second) = Container::pair();
    let ports = [published(Some(outward), Protocol::Udp), published(Some(outward), Protocol::Udp)];
    let mut network = first.up(driver, &ports).expect("up");
    assert_eq!(network.free_ports(), driver == NetworkDriver::Slirp4netns);
    if driver == NetworkDriver::Slirp4netns {
        let pid = rustix::process::Pid::from_raw(network.pid().expect("pid")).expect("pid");
        assert_eq!(rustix::process::test_kill_process(pid), Ok(()), "the helper still runs");
        assert!(second.up(driver, &ports).is_ok(), "the next can have them");
    }
}

fn ports_of_a_helper_that_hangs_are_freed_by_its_end(driver: NetworkDriver, outward: &str) {
    let (first, second) = Container::pair();
    let ports = [published(Some(outward), Protocol::Udp)];
    let mut network = first.up(driver, &ports).expect("up");
    let pid = rustix::process::Pid::from_raw(network.pid().expect("pid")).expect("pid");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("stop");
    assert!(!network.free_ports());
    drop(network);
    second.up(driver, &ports).expect("the port is free when the network is down");
}

fn helper_dies_with_its_monitor(driver: NetworkDriver) {
    let container = Container::new();
    // Started by a thread that ends while the process lives on: to the kernel, that is the death of the parent.
    let network =
        std::thread::scope(|scope| scope.spawn(|| container.up(driver, &[])).join().expect("join")).expect("up");
    let pidfd = network.pidfd().expect("pidfd");
    assert!(super::wait::wait_readable(&[pidfd], Instant::now() + PATIENCE).expect("poll"));
}

fn failure_is_reported_with_the_helpers_words(driver: NetworkDriver) {
    let container = Container::new();
    // A process without a network namespace that the helper may join: init.
    let result = endpoint_driver(driver).expect("driver").start(&container.request(&[]), 1);
    let error = result.and_then(|starting| starting.wait_ready(Instant::now() + PATIENCE)).expect_err("no such target");
    assert!(matches!(&error, Error::HelperEnded { words, .. } if !words.is_empty()), "{error}");
}

macro_rules! suite {
    ($module:ident, $driver:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn udp_port_is_published() {
                is_here($driver).then(outward).flatten().inspect(|ip| super::udp_port_is_published($driver, ip));
            }
            #[test]
            fn host_loopback_is_closed_and_outward_address_open() {
                is_here($driver).then(|| super::host_loopback_is_closed_and_outward_address_open($driver));
            }
            #[test]
            fn taken_udp_port_is_named() {
                let ip = is_here($driver).then(outward).flatten();
                ip.inspect(|ip| super::taken_port_is_named($driver, ip, Protocol::Udp));
            }
            #[test]
            fn of_two_racing_starts_exactly_one_gets_a_udp_port() {
                let ip = is_here($driver).then(outward).flatten();
                ip.inspect(|ip| super::of_two_racing_starts_exactly_one_wins($driver, ip, Protocol::Udp));
            }
            #[test]
            fn ports_are_freed_before_the_helper_ends() {
                let ip = is_here($driver).then(outward).flatten();
                ip.inspect(|ip| super::ports_are_freed_before_the_helper_ends($driver, ip));
            }
            #[test]
            fn ports_of_a_helper_that_hangs_are_freed_by_its_end() {
                let ip = is_here($driver).then(outward).flatten();
                ip.inspect(|ip| super::ports_of_a_helper_that_hangs_are_freed_by_its_end($driver, ip));
            }
            #[test]
            fn helper_ends_with_its_network() {
                is_here($driver).then(|| super::helper_ends_with_its_network($driver));
            }
            #[test]
            fn helper_dies_with_its_monitor() {
                is_here($driver).then(|| super::helper_dies_with_its_monitor($driver));
            }
            #[test]
            fn failure_is_reported_with_the_helpers_words() {
                is_here($driver).then(|| super::failure_is_reported_with_the_helpers_words($driver));
            }
        }
    };
}

suite!(slirp4netns, NetworkDriver::Slirp4netns);
suite!(pasta, NetworkDriver::Pasta);

/// TCP of slirp4netns is the relay's.
mod tcp_of_pasta {
    use super::*;

    #[test]
    fn tcp_port_is_published() {
        is_here(NetworkDriver::Pasta).then(|| super::tcp_port_is_published(NetworkDriver::Pasta));
    }
    #[test]
    fn tcp_port_listens_on_the_given_address_alone() {
        is_here(NetworkDriver::Pasta).then(|| super::tcp_port_listens_on_the_given_address_alone(NetworkDriver::Pasta));
    }
    #[test]
    fn taken_tcp_port_is_named() {
        is_here(NetworkDriver::Pasta).then(|| taken_port_is_named(NetworkDriver::Pasta, "0.0.0.0", Protocol::Tcp));
    }
    #[test]
    fn of_two_racing_starts_exactly_one_gets_a_tcp_port() {
        is_here(NetworkDriver::Pasta)
            .then(|| of_two_racing_starts_exactly_one_wins(NetworkDriver::Pasta, "0.0.0.0", Protocol::Tcp));
    }
}

#[test]
fn networks_without_a_helper_publish_nothing() {
    let ports = vec![published(None, Protocol::Tcp)];
    let directory = std::env::temp_dir();
    let programs = Programs::default();
    let (name, locks, interface) = (String::new(), directory.clone(), addresses::INTERFACE);
    let request = Request { name, ports, options: Vec::new(), range: None, programs, interface, directory, locks };
    for network in [Network::None, Network::Host] {
        let driver = super::driver(&network).expect("driver");
        assert!(matches!(driver.validate(&request), Err(Error::NoPorts { .. })));
    }
}
