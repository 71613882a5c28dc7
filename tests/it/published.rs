//! Published TCP ports of the default network: what a client and a server see of each other through rc's relay.

mod moves;
mod networks;

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use crate::support::machines::on_two_machines;
use crate::support::wait::PATIENCE;
use crate::support::{Lab, Running, port, wait};

/// A container with a server, and the port on the host.
struct Server<'a> {
    lab: &'a Lab,
    running: Running,
    port: u16,
}

impl<'a> Server<'a> {
    /// Starts `payload PART 7 MORE…`, and waits until it serves.
    #[track_caller]
    fn start(lab: &'a Lab, options: &[&str], part: &[&str]) -> Self {
        Self::start_in(lab, "slirp4netns", options, part)
    }

    #[track_caller]
    fn start_in(lab: &'a Lab, network: &str, options: &[&str], part: &[&str]) -> Self {
        let port = port::take(1);
        let publish = format!("{port}:7");
        let run = lab.rc(["run", "--rm", "--name", "web", "--network", network, "-p", &publish]).args(options);
        let running = run.args(["payload", "/payload", part[0], "7"]).args(&part[1..]).start();
        running.line("ready");
        Self { lab, running, port }
    }

    fn address(&self, ip: impl Into<IpAddr>) -> SocketAddr {
        SocketAddr::new(ip.into(), self.port)
    }

    #[track_caller]
    fn connect(&self) -> TcpStream {
        patient(TcpStream::connect(self.address(Ipv4Addr::LOCALHOST)).expect("the port is open"))
    }

    #[track_caller]
    fn end(self) {
        self.lab.remove_containers();
        drop(self.running.wait().exits(137));
    }
}

/// One relay serves both: in the container's own namespace, and in a network with a name.
const NETWORKS: [&str; 2] = ["slirp4netns", "podman"];

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// Connects from that address and port; 0 is any.
#[track_caller]
fn connect_from(ip: IpAddr, from: u16, to: SocketAddr) -> TcpStream {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket");
    sockopt::set_socket_reuseaddr(&socket, true).expect("an option");
    bind(&socket, &SocketAddr::new(ip, from)).expect("the address is this host's");
    connect(&socket, &to).expect("the port is open");
    patient(TcpStream::from(socket))
}

/// The line by which `greet` tells a client its address.
#[track_caller]
fn greeting(stream: &TcpStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("the server speaks first");
    line.trim_end().to_owned()
}

/// The address from which this host reaches the world, if it has a default route.
fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback())
}

/// A lab with the payload; `None` if slirp4netns cannot be used.
macro_rules! lab {
    () => {{
        require!(program "slirp4netns");
        require!(
            std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_ok(),
            "/dev/net/tun cannot be opened"
        );
        let lab = Lab::with_payload();
        lab
    }};
}

#[test]
fn a_server_sees_the_client_s_own_address_and_port() {
    let Some(outward) = outward() else { skip!("no default route") };
    let lab = lab!();
    let server = Server::start(&lab, &[], &["greet"]);
    let stream = connect_from(outward, 0, server.address(outward));
    assert_eq!(greeting(&stream), stream.local_addr().expect("an address").to_string());
    // Another address of the host.
    let stream = connect_from(outward, 0, server.address(Ipv4Addr::LOCALHOST));
    assert_eq!(greeting(&stream), stream.local_addr().expect("an address").to_string());
    server.end();
}

#[test]
fn a_client_on_loopback_appears_as_the_gateway() {
    let lab = lab!();
    let server = Server::start(&lab, &[], &["greet"]);
    for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 9)] {
        let stream = connect_from(ip.into(), 0, server.address(Ipv4Addr::LOCALHOST));
        let port = stream.local_addr().expect("an address").port();
        assert_eq!(greeting(&stream), format!("10.0.2.2:{port}"));
    }
    server.end();
}

/// What the server of a container sees of a client on another machine: by TCP over IPv4 and IPv6, then by UDP.
#[test]
fn a_client_on_another_machine_keeps_its_address() {
    require!(program "ip");
    require!(program "pasta");
    let lab = lab!();
    let script = "
        ip route add default via 2001:db8::7
        for network in slirp4netns pasta; do
            udp6=; [ $network = slirp4netns ] || udp6='-p [::]:8081:7/udp'
            rc run -d --name web --network $network -p 8080:7 -p '[::]:8081:7' -p 8080:7/udp $udp6 \
                payload /payload greet-both 7 >id
            ready web
            # pasta of 2023 does not ask again while the kernel looks for others with the container's address.
            while rc exec web /payload read /proc/net/if_inet6 | grep -q ' [c4]0 *eth0'; do :; done
            machine \"$PAYLOAD\" ask tcp 192.0.2.1:8080 hello
            machine \"$PAYLOAD\" ask tcp '[2001:db8::1]:8081' hello
            machine \"$PAYLOAD\" ask udp 192.0.2.1:8080 hello
            [ -z \"$udp6\" ] || machine \"$PAYLOAD\" ask udp '[2001:db8::1]:8081' hello
            rc rm -f -t 0 web >id
        done
        # pasta of 2023 takes a port for one family alone.
        rc run --network pasta -p 8080:7 -p '[::]:8080:7' payload /payload exit 0 2>said || cat said >&2";
    let output = on_two_machines(&lab, script).run().exits(0);
    let (said, complaint) = (output.stdout(), output.stderr());
    let from: Vec<_> = said.lines().filter_map(|line| Some(line.rsplit_once(':')?.0)).collect();
    // With slirp4netns the container has no IPv6.
    let expected = ["192.0.2.7", "10.0.2.2", "192.0.2.7", "192.0.2.7", "[2001:db8::7]", "192.0.2.7", "[2001:db8::7]"];
    assert_eq!(from, expected);
    assert_eq!(said.lines().filter(|line| *line == "hello").count(), 4, "{said}");
    assert!(complaint.is_empty() || complaint.contains("hint: this pasta publishes a port number for one family"));
}

#[test]
fn one_port_of_a_client_leads_to_two_published_ports() {
    let lab = lab!();
    let other = port::take(1);
    let server = Server::start(&lab, &["-p", &format!("{other}:7")], &["greet"]);
    let one = connect_from(Ipv4Addr::LOCALHOST.into(), 0, server.address(Ipv4Addr::LOCALHOST));
    let from = one.local_addr().expect("an address").port();
    let two = connect_from(Ipv4Addr::LOCALHOST.into(), from, SocketAddr::from((Ipv4Addr::LOCALHOST, other)));
    // The server has one port, so that the second connection needs another one of the client's.
    let (first, second) = (greeting(&one), greeting(&two));
    assert_eq!(first, format!("10.0.2.2:{from}"));
    assert!(second.starts_with("10.0.2.2:") && second != first, "{second}");
    for mut stream in [one, two] {
        stream.write_all(b"still here").expect("the connection lives");
        let mut answer = [0; 10];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"still here");
    }
    server.end();
}

#[test]
fn all_data_arrives_in_both_directions_and_each_ends_alone() {
    let lab = lab!();
    NETWORKS.into_iter().for_each(|network| all_data_arrives(&lab, network));
}

fn all_data_arrives(lab: &Lab, network: &str) {
    let server = Server::start_in(lab, network, &[], &["greet"]);
    let data: Vec<u8> =
        (0..24u32 << 20).map(|number| u8::try_from((number ^ (number >> 11)) % 251).expect("small")).collect();
    let stream = server.connect();
    greeting_byte_by_byte(&stream);
    let mut writer = stream.try_clone().expect("a copy");
    let sent = data.clone();
    let sender = std::thread::spawn(move || {
        writer.write_all(&sent).expect("the connection takes it");
        // The server sends on after this.
        writer.shutdown(Shutdown::Write).expect("half a close");
    });
    let mut answer = Vec::new();
    (&stream).read_to_end(&mut answer).expect("the server ends, too");
    sender.join().expect("all was sent");
    assert!(answer == data, "{} of {} bytes", answer.len(), data.len());
    server.end();
}

/// Reads the first line, and nothing of what follows.
fn greeting_byte_by_byte(mut stream: &TcpStream) -> String {
    let (mut said, mut byte) = (Vec::new(), [0]);
    loop {
        stream.read_exact(&mut byte).expect("a greeting");
        if byte == *b"\n" {
            return String::from_utf8_lossy(&said).into_owned();
        }
        said.extend(byte);
    }
}

#[test]
fn a_reset_is_a_reset_on_the_other_side() {
    let lab = lab!();
    NETWORKS.into_iter().for_each(|network| a_reset_is_passed_on(&lab, network));
}

fn a_reset_is_passed_on(lab: &Lab, network: &str) {
    let server = Server::start_in(lab, network, &[], &["abort"]);
    let mut stream = server.connect();
    stream.write_all(b"!").expect("the connection is there");
    assert_eq!(stream.read(&mut [0]).expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    server.end();

    let server = Server::start_in(lab, network, &[], &["watch"]);
    let stream = server.connect();
    drop(stream);
    server.running.line("end");
    let mut stream = server.connect();
    stream.write_all(b"!").expect("the connection is there");
    sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).expect("an option");
    drop(stream);
    server.running.line("ConnectionReset");
    server.end();
}

#[test]
fn a_port_that_nobody_listens_on_inside_is_a_reset_at_once() {
    let lab = lab!();
    let silent = port::take(1);
    let server = Server::start(&lab, &["-p", &format!("{silent}:8")], &["tcp"]);
    for from in outward().into_iter().chain([Ipv4Addr::LOCALHOST.into()]) {
        let mut stream = connect_from(from, 0, SocketAddr::new(from, silent));
        // Long before the kernel would ask again whether the server is there.
        stream.set_read_timeout(Some(Duration::from_millis(900))).expect("a timeout can be set");
        assert_eq!(stream.read(&mut [0]).expect_err("a reset").kind(), ErrorKind::ConnectionReset, "from {from}");
    }
    server.end();
}

#[test]
fn what_a_server_says_at_last_arrives() {
    let lab = lab!();
    for (network, bytes) in
        NETWORKS.into_iter().flat_map(|network| [1, 100_000, 2_000_000].map(|bytes| (network, bytes)))
    {
        let server = Server::start_in(&lab, network, &[], &["last-words", &bytes.to_string()]);
        let mut said = Vec::new();
        server.connect().read_to_end(&mut said).expect("an end");
        assert_eq!(said.len(), bytes);
        drop(server.running.wait().exits(0));
    }
}

/// A process that serves the ports of the container with this name, of which the kernel keeps five characters.
fn relay(container: &str) -> Option<rustix::process::Pid> {
    relays(container).pop()
}

/// All of these processes.
fn relays(container: &str) -> Vec<rustix::process::Pid> {
    let name = format!("rc: ports {container}\n");
    let pids = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let serving = pids.filter(|pid| {
        let has_ended =
            std::fs::read_link(format!("/proc/{pid}/exe")).is_err_and(|error| error.kind() == ErrorKind::NotFound);
        !has_ended && std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == name)
    });
    serving.filter_map(rustix::process::Pid::from_raw).collect()
}

#[test]
fn a_relay_that_is_killed_is_replaced_and_the_port_stays_open() {
    let lab = lab!();
    let port = port::take(1);
    let publish = format!("{port}:7");
    let run = lab.rc(["run", "--rm", "--name", "again", "-p", &publish, "payload", "/payload", "greet", "7"]).start();
    run.line("ready");
    let connect = || patient(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the port is open"));
    let mut old = connect();
    greeting_byte_by_byte(&old);
    let mut killed = Vec::new();
    for _ in 0..3 {
        let relay = wait::until("a relay", || relay("again").filter(|pid| !killed.contains(pid)));
        rustix::process::kill_process(relay, rustix::process::Signal::KILL).expect("it lives");
        killed.push(relay);
        // The client waits, and is served by the next one.
        let stream = connect();
        assert!(greeting(&stream).starts_with("10.0.2.2:"));
    }
    assert!(matches!(old.read(&mut [0]), Ok(0) | Err(_)), "its connections are gone");
    lab.remove_containers();
    drop(run.wait().exits(137));
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "the port is closed with the container");
}

#[test]
fn of_a_range_of_the_host_for_one_port_a_free_one_is_taken() {
    let lab = lab!();
    let first = port::take(2);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, first)).expect("the port is free");
    let publish = format!("{first}-{}:7", first + 1);
    let options = ["-d", "--name", "web", "-p", &publish];
    lab.rc(["run"]).args(options).args(["payload", "/payload", "greet", "7"]).run().succeeds();
    lab.ready("web");
    lab.rc(["port", "web", "7"]).run().prints(format!("0.0.0.0:{}\n", first + 1));
    let refused = lab.rc(["run", "--rm", "-p", &publish, "payload", "/payload", "exit", "0"]).run().exits(125);
    assert!(refused.stderr().contains("`--publish`: the host has no free port for 7"), "{refused}");
    drop(listener);
    lab.remove_containers();
}

#[test]
fn a_relay_has_the_new_name_of_a_container_that_is_renamed() {
    let lab = lab!();
    let publish = format!("{}:7", port::take(1));
    let options = ["-d", "--name", "older", "-p", &publish];
    lab.rc(["run"]).args(options).args(["payload", "/payload", "greet", "7"]).run().succeeds();
    let pid = wait::until("a relay", || relay("older"));
    lab.rc(["rename", "older", "newer"]).run().succeeds();
    assert_eq!(wait::until("the new name", || relay("newer")), pid);
    // The next one has it, too.
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
    wait::until("another relay", || relay("newer").filter(|new| *new != pid));
    lab.remove_containers();
}

#[test]
fn between_two_runs_a_port_refuses_and_stays_taken() {
    let lab = lab!();
    let port = port::take(1);
    let publish = format!("127.0.0.1:{port}:7");
    let run = ["run", "-d", "--name", "web", "--restart", "always", "-p", &publish, "payload", "/payload"];
    lab.rc(run).args(["last-words", "7", "3"]).run().succeeds();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let ask = || {
        let mut said = String::new();
        patient(TcpStream::connect(address).ok()?).read_to_string(&mut said).ok()?;
        (said == "xxx").then_some(())
    };
    // Each answer ends a run; the pauses in between become longer.
    for _ in 0..3 {
        wait::until("an answer of the next run", ask);
    }
    wait::until("a pause", || {
        TcpStream::connect(address).err().filter(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    // Whatever it is that the container does now.
    assert_eq!(TcpListener::bind(address).expect_err("taken").kind(), ErrorKind::AddrInUse);
    wait::until("an answer of the next run", ask);
    lab.remove_containers();
    drop(TcpListener::bind(address).expect("the port is free"));
}

#[test]
fn connections_beyond_the_limit_of_descriptors_wait_and_the_others_go_on() {
    let lab = lab!();
    NETWORKS.into_iter().for_each(|network| connections_wait(&lab, network));
}

fn connections_wait(lab: &Lab, network: &str) {
    let port = port::take(1);
    let script = lab.script("script", "ulimit -n 256 && exec \"$RC\" \"$@\"");
    let run = lab.program("bash", [script.as_os_str()]).env("RC", Lab::rc_path());
    let publish = format!("{port}:7");
    let run = run.args(["run", "--rm", "--name", "web", "--network", network, "-p", &publish]);
    let run = run.args(["payload", "/payload", "greet", "7"]).start();
    run.line("ready");
    let connect = || patient(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the port is open"));
    // A connection costs two descriptors, and 16 in 256 are for pipes: some hundred have room.
    let (mut served, mut waiting) = (Vec::new(), Vec::new());
    while waiting.len() < 20 {
        let stream = connect();
        let patience = if waiting.is_empty() { Duration::from_millis(1500) } else { Duration::from_millis(1) };
        stream.set_read_timeout(Some(patience)).expect("a timeout can be set");
        let mut first = [0];
        match (&stream).read_exact(&mut first) {
            Ok(()) => served.push(patient(stream)),
            Err(_) => waiting.push(patient(stream)),
        }
        assert!(served.len() < 128, "two descriptors each");
    }
    assert!(served.len() >= 90, "{} were served", served.len());
    for stream in &served {
        greeting_byte_by_byte(stream);
    }
    let echo = |mut stream: &TcpStream| {
        stream.write_all(b"idle no more").expect("the connection lives");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"idle no more");
    };
    served.iter().for_each(echo);
    // Each end lets one of those in that wait.
    served.drain(..waiting.len());
    for stream in &waiting {
        greeting_byte_by_byte(stream);
        echo(stream);
    }
    lab.remove_containers();
    drop(run.wait().exits(137));
}
