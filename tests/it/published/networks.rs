//! Published ports of networks with names: TCP and UDP, IPv4 and IPv6.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::{connect_from, greeting, outward, patient, relay};
use crate::support::wait::PATIENCE;
use crate::support::{Lab, port, wait};

/// A lab with the payload and a network `app` that has the subnet 10.91.7.0/24, with these options; with `both` also
/// fd00:91:7::/64.
fn lab(both: bool, options: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    let mut create = lab.rc(["network", "create", "--subnet", "10.91.7.0/24"]).args(options.iter().copied());
    if both {
        create = create.args(["--ipv6", "--subnet", "fd00:91:7::/64"]);
    }
    create.arg("app").run().prints("app\n");
    lab
}

macro_rules! require_tun {
    () => {
        require!(program "slirp4netns");
        require!(
            std::fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_ok(),
            "/dev/net/tun cannot be opened"
        );
    };
}

/// Starts `payload PART 7` as container `NAME` with these options, and waits until it serves.
#[track_caller]
fn start(lab: &Lab, name: &str, options: &[&str], part: &str) {
    let run = lab.rc(["run", "-d", "--name", name, "--network", "app"]).args(options.iter().copied());
    run.args(["payload", "/payload", part, "7"]).run().succeeds();
    lab.ready(name);
}

/// Asks by UDP from one address, again if a datagram is lost; returns the answer and the client's port.
#[track_caller]
fn ask(from: IpAddr, to: SocketAddr) -> (String, u16) {
    let socket = UdpSocket::bind((from, 0)).expect("the address is this host's");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout can be set");
    // Only answers from the address that was asked arrive.
    socket.connect(to).expect("a route");
    let deadline = Instant::now() + PATIENCE;
    let mut answer = [0; 100];
    loop {
        let asked = socket.send(b"?").and_then(|_| socket.recv(&mut answer));
        match asked {
            Ok(length) => {
                let port = socket.local_addr().expect("an address").port();
                return (String::from_utf8_lossy(&answer[..length]).into_owned(), port);
            }
            Err(_) => assert!(Instant::now() < deadline, "no answer from {to}"),
        }
    }
}

#[test]
fn a_server_in_a_network_sees_its_clients_own_addresses() {
    require_tun!();
    let Some(outward) = outward() else { skip!("no default route") };
    let lab = lab(false, &[]);
    let (tcp, udp, other) = (port::take(1), port::take(1), port::take(1));
    start(&lab, "web", &["-p", &format!("{tcp}:7"), "-p", &format!("127.0.0.1:{other}:7")], "greet");
    start(&lab, "dns", &["-p", &format!("{udp}:7/udp")], "greet-udp");
    let stream = connect_from(outward, 0, SocketAddr::new(outward, tcp));
    let own = stream.local_addr().expect("an address");
    assert_eq!(greeting(&stream), own.to_string());
    // The server has one port, so that a connection from there to another published port needs another one.
    let second = connect_from(outward, own.port(), SocketAddr::from((Ipv4Addr::LOCALHOST, other)));
    let seen: SocketAddr = greeting(&second).parse().expect("an address");
    assert!(seen.ip() == outward && seen != own, "{seen}");
    let (told, from) = ask(outward, SocketAddr::new(outward, udp));
    assert_eq!(told, SocketAddr::new(outward, from).to_string());
    // N1: IPv6 is not opened unasked.
    assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, tcp)).is_err());
    for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 9)].map(IpAddr::from) {
        let stream = connect_from(ip, 0, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), tcp));
        let from = stream.local_addr().expect("an address").port();
        assert_eq!(greeting(&stream), format!("10.91.7.1:{from}"));
        // The answer comes from the address that was asked.
        let (told, from) = ask(ip, SocketAddr::new(Ipv4Addr::new(127, 0, 0, 77).into(), udp));
        assert_eq!(told, format!("10.91.7.1:{from}"));
    }
    let said = lab.rc(["port", "web"]).run().text();
    assert_eq!(said, format!("7/tcp -> 0.0.0.0:{tcp}\n7/tcp -> 127.0.0.1:{other}"));
    let template = "{{json .NetworkSettings.Ports}}";
    let ports = format!("{{\"7/udp\":[{{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"{udp}\"}}]}}\n");
    lab.rc(["inspect", "--format", template, "dns"]).run().prints(ports);
    let listed = lab.rc(["ps", "--format", "{{.Ports}}", "--filter", "name=web"]).run().text();
    assert_eq!(listed.trim_end(), format!("0.0.0.0:{tcp}->7/tcp, 127.0.0.1:{other}->7/tcp"));
    lab.remove_containers();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, tcp)).is_err(), "the port is closed with the container");
}

#[test]
fn ipv6_clients_come_to_the_ipv6_address_or_as_the_gateway() {
    require_tun!();
    require!(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok(), "this host has no IPv6");
    for (both, gateway) in [(true, "fd00:91:7::1"), (false, "10.91.7.1")] {
        let lab = lab(both, &[]);
        let (tcp, udp) = (port::take(1), port::take(1));
        start(&lab, "web", &["-p", &format!("[::]:{tcp}:7")], "greet");
        start(&lab, "dns", &["-p", &format!("[::1]:{udp}:7/udp")], "greet-udp");
        let stream = patient(TcpStream::connect((Ipv6Addr::LOCALHOST, tcp)).expect("the port is open"));
        let from = stream.local_addr().expect("an address").port();
        let told = |port| SocketAddr::new(gateway.parse().expect("an address"), port).to_string();
        assert_eq!(greeting(&stream), told(from));
        let (said, from) = ask(Ipv6Addr::LOCALHOST.into(), SocketAddr::new(Ipv6Addr::LOCALHOST.into(), udp));
        assert_eq!(said, told(from));
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, tcp)).is_err(), "IPv4 was not asked for");
        lab.remove_containers();
    }
}

/// The host is a network namespace of the test, and so is the other machine.
#[test]
fn clients_on_another_machine_keep_their_addresses_of_both_families() {
    require!(program "ip");
    require_tun!();
    let lab = Lab::with_payload();
    let script = "
        set -e
        ip link set lo up
        exec 9< <(exec unshare --net sh -c 'echo $$; exec sleep 1000')
        read -r machine <&9
        trap 'kill $machine' EXIT
        ip link add here type veth peer name there netns $machine
        ip addr add 192.0.2.1/24 dev here
        ip addr add 2001:db8::1/64 dev here nodad
        ip link set here up
        nsenter --net --target $machine sh -c 'ip addr add 192.0.2.7/24 dev there
            ip addr add 2001:db8::7/64 dev there nodad; ip link set there up'
        \"$RC\" network create --subnet 10.91.7.0/24 --ipv6 --subnet fd00:91:7::/64 app >id
        \"$RC\" run -d --network app --name web -p 8080:7 -p '[::]:8080:7' payload /payload greet 7 >id
        \"$RC\" run -d --network app --name dns -p 8080:7/udp -p '[::]:8080:7/udp' payload /payload greet-udp 7 >id
        for name in web dns; do until \"$RC\" logs $name | grep -q ready; do :; done; done
        for protocol in tcp udp; do
            for address in 192.0.2.1 '[2001:db8::1]'; do
                nsenter --net --target $machine \"$PAYLOAD\" ask $protocol $address:8080 hello
                # From the host's own address.
                \"$PAYLOAD\" ask $protocol $address:8080 hello
            done
        done
        \"$RC\" rm -f -t 0 web dns >id";
    let script = lab.script("script", script);
    let run = lab.program("unshare", ["--user", "--map-root-user", "--net", "--mount", "bash"]).arg(script);
    let run = run.env("RC_SINGLE_ID", "1").env("RC", Lab::rc_path()).env("PAYLOAD", Lab::payload_path());
    let said = run.run().exits(0).stdout();
    let from: Vec<_> = said.lines().filter_map(|line| Some(line.rsplit_once(':')?.0)).collect();
    let expected = ["192.0.2.7", "192.0.2.1", "[2001:db8::7]", "[2001:db8::1]"].repeat(2);
    assert_eq!(from, expected, "{said}");
}

#[test]
fn an_internal_network_publishes_by_its_gateway() {
    require_tun!();
    let Some(outward) = outward() else { skip!("no default route") };
    let lab = lab(false, &["--internal"]);
    let port = port::take(1);
    start(&lab, "web", &["-p", &format!("{port}:7")], "greet");
    let stream = connect_from(outward, 0, SocketAddr::new(outward, port));
    assert!(greeting(&stream).starts_with("10.91.7.1:"), "its answers go nowhere else");
    lab.remove_containers();
}

#[test]
fn a_relay_that_is_killed_in_a_network_is_replaced() {
    require_tun!();
    let lab = lab(false, &[]);
    let port = port::take(1);
    start(&lab, "fix", &["-p", &format!("{port}:7")], "greet");
    let killed = wait::until("a relay", || relay("fix"));
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).expect("it lives");
    let stream = patient(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the port is open"));
    assert!(greeting(&stream).starts_with("10.91.7.1:"));
    lab.remove_containers();
}

#[test]
fn a_taken_port_is_named_in_a_network_too() {
    let lab = lab(false, &[]);
    let holder = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port is free");
    let port = holder.local_addr().expect("an address").port();
    let run = ["run", "--network", "app", "-p", &format!("{port}:7"), "payload", "/payload", "exit", "0"];
    let sentence = format!("rc: cannot publish port `0.0.0.0:{port}/tcp`: the port is in use\n");
    let said = lab.rc(run).run().exits(125).stderr();
    assert!(said.starts_with(&sentence), "{said}");
    lab.rc(["ps", "-a", "-q"]).run().says_nothing();
}

#[test]
fn nobody_inside_is_a_reset_in_a_network_too() {
    require_tun!();
    let Some(outward) = outward() else { skip!("no default route") };
    let lab = lab(false, &[]);
    let port = port::take(1);
    start(&lab, "web", &["-p", &format!("{port}:8")], "greet");
    for from in [outward, Ipv4Addr::LOCALHOST.into()] {
        let mut stream = connect_from(from, 0, SocketAddr::new(from, port));
        stream.set_read_timeout(Some(Duration::from_millis(900))).expect("a timeout can be set");
        assert_eq!(stream.read(&mut [0]).expect_err("a reset").kind(), ErrorKind::ConnectionReset, "from {from}");
    }
    lab.remove_containers();
}

#[test]
fn a_server_that_speaks_first_from_its_published_port_is_heard_and_hears() {
    require_tun!();
    let Some(outward) = outward() else { skip!("no default route") };
    let lab = lab(false, &[]);
    let port = port::take(1);
    let lobby = UdpSocket::bind((outward, 0)).expect("a port is free");
    lobby.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let address = lobby.local_addr().expect("an address").to_string();
    let run = lab.rc(["run", "-d", "--name", "game", "--network", "app", "-p", &format!("{port}:7/udp")]);
    run.args(["payload", "/payload", "call-udp", "7", &address]).run().succeeds();
    lab.ready("game");
    let mut said = [0; 100];
    let (length, game) = lobby.recv_from(&mut said).expect("it calls");
    assert_eq!(&said[..length], b"who is there?");
    // Whom it has called reaches it by that address, and everybody by the published port, at the same time.
    let player = UdpSocket::bind((outward, 0)).expect("a port is free");
    let answered = |socket: &UdpSocket, to: SocketAddr| {
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        wait::until("it answers", || {
            socket.send_to(b"me", to).expect("sent");
            let mut said = [0; 100];
            let (length, from) = socket.recv_from(&mut said).ok()?;
            (&said[..length] == b"hello" && from == to).then_some(())
        });
    };
    answered(&lobby, game);
    answered(&player, SocketAddr::new(outward, port));
    answered(&lobby, game);
    lab.remove_containers();
}
