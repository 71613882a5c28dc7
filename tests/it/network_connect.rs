//! `rc network connect` and `disconnect`, of containers that run and of those that do not.

use std::net::{IpAddr, TcpListener, UdpSocket};

use serde_json::Value;

use crate::support::processes::{kill, processes};
use crate::support::{Lab, address, wait};

/// A lab with the payload and these networks.
fn lab(networks: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    for network in networks {
        lab.rc(["network", "create", network]).run().succeeds();
    }
    lab
}

/// Starts a container that answers on port 7.
#[track_caller]
fn start(lab: &Lab, name: &str, network: &str) {
    let run = lab.rc(["run", "-d", "--name", name, "--network", network, "payload", "/payload", "tcp", "7"]);
    run.run().succeeds();
    lab.ready(name);
}

/// The container's networks, as `inspect` shows them.
#[track_caller]
fn networks(lab: &Lab, name: &str) -> Value {
    lab.rc(["inspect", name]).run().json()[0]["NetworkSettings"]["Networks"].clone()
}

/// What a container gets from another's server.
#[track_caller]
fn ask(lab: &Lab, asker: &str, address: &str, text: &str) -> String {
    lab.rc(["exec", asker, "/payload", "ask", "tcp", &format!("{address}:7"), text]).run().text()
}

/// The interfaces that a container has, without loopback.
#[track_caller]
fn interfaces(lab: &Lab, name: &str) -> Vec<String> {
    let text = lab.rc(["exec", name, "/payload", "read", "/proc/net/dev"]).run().text();
    let names = text.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim().to_owned());
    let mut names: Vec<String> = names.filter(|name| name != "lo").collect();
    names.sort();
    names
}

/// The MAC address of its first interface.
#[track_caller]
fn mac(lab: &Lab, name: &str) -> String {
    lab.rc(["exec", name, "/payload", "read", "/sys/class/net/eth0/address"]).run().text()
}

/// The container asks a server on the host, at the address from which the host reaches the world.
#[track_caller]
fn reaches_the_host(lab: &Lab, name: &str) {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).expect("a port is free");
    let outward = socket.connect(("203.0.113.1", 9)).and_then(|()| socket.local_addr()).map(|address| address.ip());
    let Some(outward) = outward.ok().filter(|ip: &IpAddr| !ip.is_loopback()) else { return };
    let listener = TcpListener::bind((outward, 0)).expect("a port is free");
    let address = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().expect("somebody connects");
        stream.read_exact(&mut [0; 5]).expect("five bytes");
        stream.write_all(b"the host").expect("an answer");
    });
    lab.rc(["exec", name, "/payload", "ask", "tcp", &address, "hello"]).run().prints("the host\n");
    server.join().expect("the server answers");
}

#[test]
fn a_running_container_is_connected_and_disconnected_at_once() {
    let lab = lab(&["app", "web"]);
    start(&lab, "one", "app");
    start(&lab, "two", "web");
    lab.rc(["network", "connect", "--alias", "db", "web", "one"]).run().says_nothing();
    assert_eq!(interfaces(&lab, "one"), ["eth0", "eth1"]);
    assert_eq!(ask(&lab, "two", &address(&lab, "one", "web"), "by web"), "by web");
    // Both are found by their names, and the container's own files have its new address.
    let looked_up = |asker: &str, name: &str| {
        lab.rc(["exec", asker, "/payload", "look-up", "udp", "a", name]).run().text().trim().to_owned()
    };
    assert!(looked_up("two", "db").contains(&address(&lab, "one", "web")), "{}", looked_up("two", "db"));
    assert!(looked_up("one", "two").contains(&address(&lab, "two", "web")), "{}", looked_up("one", "two"));
    let hosts = || lab.rc(["exec", "one", "/payload", "read", "/etc/hosts"]).run().text();
    let of_web = address(&lab, "one", "web");
    assert!(hosts().contains(&of_web), "{}", hosts());
    let aliases = networks(&lab, "one")["web"]["Aliases"].clone();
    assert!(aliases.as_array().is_some_and(|all| all.iter().any(|alias| alias == "db")), "{aliases}");
    let members = lab.rc(["network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{end}}", "web"]).run().text();
    let mut members: Vec<&str> = members.split_whitespace().collect();
    members.sort_unstable();
    assert_eq!(members, ["one", "two"]);
    // A restart keeps it.
    lab.rc(["restart", "-t", "0", "one"]).run().succeeds();
    lab.ready("one");
    assert_eq!(ask(&lab, "two", &address(&lab, "one", "web"), "again"), "again");
    lab.rc(["network", "disconnect", "web", "one"]).run().says_nothing();
    assert_eq!(interfaces(&lab, "one"), ["eth0"]);
    assert!(!hosts().contains(&of_web), "{}", hosts());
    assert_eq!(
        networks(&lab, "one").as_object().map(|all| all.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["app".to_owned()])
    );
    let leases = std::fs::read_dir(lab.store().join("networks/web/leases")).expect("leases").count();
    assert_eq!(leases, 1, "that of `two`");
    let events = ["events", "--stream=false", "--filter", "type=network", "--format", "{{.Status}} {{.Name}}"];
    let events = lab.rc(events).run().text();
    assert!(events.ends_with("connect web\ndisconnect web"), "{events}");
    lab.remove_containers();
}

#[test]
fn a_container_with_a_helper_of_its_own_joins_a_network_as_well() {
    require!(program "slirp4netns");
    let lab = lab(&["app"]);
    start(&lab, "own", "slirp4netns");
    start(&lab, "one", "app");
    let files = || {
        ["hosts", "resolv.conf"]
            .map(|name| lab.rc(["exec", "own", "/payload", "read", &format!("/etc/{name}")]).run().text())
    };
    let before = files();
    lab.rc(["network", "connect", "app", "own"]).run().says_nothing();
    assert_eq!(interfaces(&lab, "own"), ["eth0", "eth1"]);
    for _ in 0..2 {
        let named = lab.rc(["exec", "own", "/payload", "look-up", "udp", "a", "one"]).run().text();
        assert_eq!(named, address(&lab, "one", "app"));
        assert_eq!(ask(&lab, "one", &address(&lab, "own", "app"), "by app"), "by app");
        reaches_the_host(&lab, "own");
        lab.rc(["restart", "-t", "0", "own"]).run().succeeds();
        lab.ready("own");
    }
    lab.rc(["network", "disconnect", "app", "own"]).run().says_nothing();
    assert_eq!(interfaces(&lab, "own"), ["eth0"]);
    reaches_the_host(&lab, "own");
    // It asks its helper again, and has its helper's address.
    assert_eq!(files(), before);
    lab.remove_containers();
}

#[test]
fn the_default_route_is_by_the_next_network_when_the_first_is_left() {
    let lab = lab(&["app", "web"]);
    start(&lab, "one", "app");
    lab.rc(["network", "connect", "web", "one"]).run().says_nothing();
    reaches_the_host(&lab, "one");
    lab.rc(["network", "disconnect", "app", "one"]).run().says_nothing();
    assert_eq!(interfaces(&lab, "one"), ["eth1"]);
    reaches_the_host(&lab, "one");
    lab.rc(["network", "disconnect", "web", "one"]).run().says_nothing();
    assert_eq!(interfaces(&lab, "one"), [""; 0]);
    // As with docker: it is in none, which is no network either.
    let template = "{{json .NetworkSettings.Networks}} {{.HostConfig.NetworkMode}}";
    lab.rc(["inspect", "--format", template, "one"]).run().prints("{} bridge\n");
    lab.rc(["ps", "--format", "<{{.Networks}}>"]).run().prints("<>\n");
    lab.rc(["network", "connect", "app", "one"]).run().says_nothing();
    assert_eq!(interfaces(&lab, "one"), ["eth0"]);
    reaches_the_host(&lab, "one");
    let before = (networks(&lab, "one"), mac(&lab, "one"));
    lab.rc(["network", "reload", "one"]).run().succeeds();
    reaches_the_host(&lab, "one");
    assert_eq!((networks(&lab, "one"), mac(&lab, "one")), before);
    lab.remove_containers();
}

#[test]
fn a_container_that_does_not_run_is_connected_at_its_next_start() {
    let lab = lab(&["app", "web"]);
    lab.rc(["create", "--name", "one", "--network", "app", "payload", "/payload", "tcp", "7"]).run().succeeds();
    lab.rc(["network", "connect", "web", "one"]).run().says_nothing();
    lab.rc(["update", "--restart", "no", "one"]).run().succeeds();
    let output = lab.rc(["network", "rm", "web"]).run().exits(2);
    assert!(output.stderr().contains("in use by `one`"), "{output}");
    lab.rc(["start", "one"]).run().succeeds();
    lab.ready("one");
    assert_eq!(interfaces(&lab, "one"), ["eth0", "eth1"]);
    lab.rc(["kill", "one"]).run().succeeds();
    lab.rc(["wait", "one"]).run().succeeds();
    lab.rc(["network", "disconnect", "app", "one"]).run().says_nothing();
    lab.rc(["start", "one"]).run().succeeds();
    assert_eq!(interfaces(&lab, "one"), ["eth0"]);
    address(&lab, "one", "web").parse::<IpAddr>().expect("an address");
    lab.remove_containers();
}

#[test]
fn a_network_that_was_left_after_the_monitor_was_killed_has_nothing_of_the_container() {
    let lab = lab(&["app", "old"]);
    start(&lab, "two", "old");
    let run = lab.rc(["run", "-d", "--name", "one", "--network", "app", "--network", "old"]);
    run.args(["payload", "/payload", "tcp", "7"]).run().succeeds();
    lab.ready("one");
    let leases = |network: &str| {
        std::fs::read_dir(lab.store().join("networks").join(network).join("leases")).expect("leases").count()
    };
    processes(&lab, "rc: one").into_iter().for_each(kill);
    wait::until("its program has ended with it", || {
        let status = lab.rc(["inspect", "--format", "{{.State.Status}}", "one"]).run().text();
        (status.trim() == "exited").then_some(())
    });
    assert_eq!(leases("old"), 2, "the killed monitor has left one");
    lab.rc(["network", "disconnect", "old", "one"]).run().says_nothing();
    lab.rc(["start", "one"]).run().succeeds();
    lab.ready("one");
    assert_eq!((leases("app"), leases("old")), (1, 1));
    let looked_up = |asker: &str| lab.rc(["exec", asker, "/payload", "look-up", "udp", "a", "one.dns.podman"]).run();
    assert_eq!(looked_up("two").text().trim(), "NXDOMAIN");
    assert_eq!(looked_up("one").text().trim(), address(&lab, "one", "app"));
    lab.rc(["rm", "-f", "-t", "0", "two"]).run().succeeds();
    lab.rc(["network", "rm", "old"]).run().prints("old\n");
    lab.remove_containers();
}

#[test]
fn a_container_that_waits_for_its_restart_is_connected_by_it() {
    let lab = lab(&["app", "web", "old"]);
    // It runs for good once a third network is there.
    let run = lab.rc(["run", "-d", "--name", "one", "--restart", "always", "--network", "old", "--network", "app"]);
    run.args(["payload", "/payload", "needs-interface", "eth2"]).run().succeeds();
    wait::until("a longer pause", || {
        let text = lab.rc(["inspect", "--format", "{{.State.Status}} {{.RestartCount}}", "one"]).run().text();
        text.strip_prefix("restarting ")?.trim().parse::<u32>().ok().filter(|count| *count >= 3).map(drop)
    });
    for words in [["disconnect", "old"], ["connect", "web"], ["connect", "old"]] {
        // Whether it waits, is being started, or runs for a moment.
        lab.rc(["network", words[0], words[1], "one"]).run().says_nothing();
    }
    lab.ready("one");
    let all = networks(&lab, "one");
    let mut names: Vec<&str> = all.as_object().expect("networks").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["app", "old", "web"]);
    start(&lab, "two", "web");
    let looked_up = lab.rc(["exec", "two", "/payload", "look-up", "udp", "a", "one"]).run().text();
    assert_eq!(looked_up.trim(), address(&lab, "one", "web"));
    lab.remove_containers();
    for network in ["app", "web", "old"] {
        let leases = std::fs::read_dir(lab.store().join("networks").join(network).join("leases")).expect("leases");
        assert_eq!(leases.count(), 0, "{network}");
    }
}

#[test]
fn a_connection_that_the_kernel_refuses_leaves_nothing() {
    require!(program "ip");
    require!(program "nsenter");
    let lab = lab(&["app", "web"]);
    start(&lab, "one", "app");
    // The name that the next interface would have.
    let pid = lab.rc(["inspect", "-f", "{{.State.Pid}}", "one"]).run().text();
    let taken = format!("nsenter --net --target {} ip link add eth1 type veth peer name other", pid.trim());
    lab.rc(["unshare", "sh", "-c", &taken]).run().succeeds();
    let refused = lab.rc(["network", "connect", "web", "one"]).run().exits(125);
    assert!(refused.stderr().contains("network `web`: cannot create a veth pair: file exists"), "{refused}");
    assert_eq!(networks(&lab, "one").as_object().map(serde_json::Map::len), Some(1));
    let leases = std::fs::read_dir(lab.store().join("networks/web/leases")).expect("leases").count();
    assert_eq!(leases, 0);
    lab.remove_containers();
}

#[test]
fn a_change_that_cannot_be_made_changes_nothing() {
    let lab = lab(&["app", "web"]);
    start(&lab, "one", "app");
    start(&lab, "alone", "none");
    let before = networks(&lab, "one");
    for (line, code, words) in [
        ("connect app one", 125, "container `one` is in the network `app` already"),
        ("connect app alone", 125, "container `alone` has the network `none`, which excludes others"),
        ("connect ghost one", 125, "no such network: ghost"),
        ("connect web ghost", 125, "no such container"),
        ("connect --ip 10.1.1.1 web one", 125, "must be in a subnet of the network `web`"),
        ("connect --mac-address 00:00:00:00:00:00 web one", 125, "`00:00:00:00:00:00`: no interface can have it"),
        ("connect --link ghost web one", 125, "no such container"),
        ("connect --link alone web one", 125, "container `alone` is not in the network `web`"),
        ("connect --driver-opt a=b web one", 125, "hint: rc's endpoints have no options"),
        ("disconnect web one", 125, "container `one` is not in the network `web`"),
        ("disconnect bridge one", 125, "hint: without `--network` slirp4netns or pasta connects a container alone"),
        ("disconnect ghost one", 125, "no such network: ghost"),
        ("disconnect -f ghost one", 0, ""),
        ("disconnect -f web one", 0, ""),
        ("disconnect -f web ghost", 0, ""),
        ("reload ghost", 125, "no such container"),
    ] {
        let output = lab.rc(std::iter::once("network").chain(line.split(' '))).run().exits(code);
        assert!(output.stderr().contains(words), "{line}: {output}");
    }
    assert_eq!(networks(&lab, "one"), before);
    assert_eq!(interfaces(&lab, "one"), ["eth0"]);
    let leases = std::fs::read_dir(lab.store().join("networks/web/leases")).expect("leases").count();
    assert_eq!(leases, 0);
    // What was refused is no obstacle.
    lab.rc(["network", "connect", "web", "one"]).run().says_nothing();
    assert_eq!(interfaces(&lab, "one"), ["eth0", "eth1"]);
    lab.remove_containers();
}
