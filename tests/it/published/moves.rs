//! Published ports while the container's networks change: they lead into the networks that it is in.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::{connect_from, greeting, greeting_byte_by_byte, outward, patient, relays};
use crate::support::{Lab, port, wait};

/// A lab with the payload and networks with these numbers, `netN` with the subnet 10.91.N.0/24.
fn lab(networks: &[(u8, &[&str])]) -> Lab {
    let lab = Lab::with_payload();
    for (number, options) in networks {
        let subnet = format!("10.91.{number}.0/24");
        let create = lab.rc(["network", "create", "--subnet", &subnet]).args(options.iter().copied());
        create.arg(format!("net{number}")).run().succeeds();
    }
    lab
}

#[track_caller]
fn change(lab: &Lab, words: &str, network: u8) {
    lab.rc(["network", words, &format!("net{network}"), "web"]).run().says_nothing();
}

/// A connection on which the server has greeted, and its greeting.
#[track_caller]
fn connect(port: u16) -> (TcpStream, String) {
    let stream = patient(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the port is open"));
    let said = greeting_byte_by_byte(&stream);
    (stream, said)
}

#[track_caller]
fn echoes(mut stream: &TcpStream) {
    stream.write_all(b"still here").expect("the connection lives");
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"still here");
}

/// Whom a server of UDP sees, asked until there is an answer from this network.
fn seen_by_udp(port: u16, network: u8) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
    socket.connect((Ipv4Addr::LOCALHOST, port)).expect("a route");
    let gateway = format!("10.91.{network}.1:");
    wait::until("an answer by UDP", || {
        let mut answer = [0; 100];
        let length = socket.send(b"?").and_then(|_| socket.recv(&mut answer)).ok()?;
        String::from_utf8_lossy(&answer[..length]).starts_with(&gateway).then_some(())
    });
}

#[test]
fn ports_follow_their_container_into_another_network() {
    let lab = lab(&[(7, &["--internal"]), (8, &["--internal"])]);
    let (tcp, udp) = (port::take(1), port::take(1));
    let publish = [format!("{tcp}:7"), format!("{udp}:7/udp")];
    let run = lab.rc(["run", "-d", "--name", "web", "--network", "net7", "-p", &publish[0], "-p", &publish[1]]);
    run.args(["payload", "/payload", "greet-both", "7"]).run().succeeds();
    lab.ready("web");
    let (mut first, said) = connect(tcp);
    assert!(said.starts_with("10.91.7.1:"), "{said}");
    seen_by_udp(udp, 7);
    // One network more changes nothing for them.
    change(&lab, "connect", 8);
    echoes(&first);
    assert!(connect(tcp).1.starts_with("10.91.7.1:"));
    // The network is left: its connections are reset, and the ports lead into the other.
    change(&lab, "disconnect", 7);
    assert_eq!(first.read(&mut [0]).expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    let (mut second, said) = connect(tcp);
    assert!(said.starts_with("10.91.8.1:"), "{said}");
    seen_by_udp(udp, 8);
    // In no network they refuse, and stay taken.
    change(&lab, "disconnect", 8);
    assert_eq!(second.read(&mut [0]).expect_err("a reset").kind(), ErrorKind::ConnectionReset);
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, tcp)).expect_err("nobody serves");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let taken = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, tcp)).expect_err("it is taken");
    assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    change(&lab, "connect", 7);
    assert!(connect(tcp).1.starts_with("10.91.7.1:"));
    seen_by_udp(udp, 7);
    // A restart serves where the container is.
    change(&lab, "connect", 8);
    change(&lab, "disconnect", 7);
    lab.rc(["restart", "-t", "0", "web"]).run().succeeds();
    lab.ready("web");
    assert!(connect(tcp).1.starts_with("10.91.8.1:"));
    lab.remove_containers();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, tcp)).is_err(), "the port is closed with the container");
}

#[test]
fn a_container_that_starts_in_no_network_refuses_until_it_is_in_one() {
    let lab = lab(&[(7, &["--internal"])]);
    let port = port::take(1);
    let create = lab.rc(["create", "--name", "web", "--network", "net7", "-p", &format!("{port}:7")]);
    create.args(["payload", "/payload", "greet", "7"]).run().succeeds();
    change(&lab, "disconnect", 7);
    lab.rc(["start", "web"]).run().succeeds();
    lab.ready("web");
    let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect_err("nobody serves");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    change(&lab, "connect", 7);
    assert!(connect(port).1.starts_with("10.91.7.1:"));
    lab.remove_containers();
}

#[test]
fn connections_last_while_their_ports_move_to_a_network_with_a_way_out() {
    require!(program "slirp4netns");
    let Some(outward) = outward() else { skip!("no default route") };
    let lab = lab(&[(7, &["--internal"]), (8, &[])]);
    let port = port::take(1);
    let run = lab.rc(["run", "-d", "--name", "move", "--network", "net7", "-p", &format!("{port}:7")]);
    run.args(["payload", "/payload", "greet", "7"]).run().succeeds();
    lab.ready("move");
    let from_outside = || {
        let stream = connect_from(outward, 0, SocketAddr::new(outward, port));
        (greeting(&stream), stream.local_addr().expect("an address").to_string())
    };
    assert!(from_outside().0.starts_with("10.91.7.1:"));
    let (old, _) = connect(port);
    lab.rc(["network", "connect", "net8", "move"]).run().says_nothing();
    // Answers can leave now: clients keep their addresses.
    let (seen, own) = from_outside();
    assert_eq!(seen, own);
    echoes(&old);
    assert_eq!(relays("move").len(), 2, "that of before has a connection");
    drop(old);
    wait::until("it ends", || (relays("move").len() == 1).then_some(()));
    // The next one is replaced when it is killed.
    let killed = relays("move")[0];
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).expect("it lives");
    assert!(connect(port).1.starts_with("10.91.8.1:"));
    lab.remove_containers();
}
