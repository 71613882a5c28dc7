//! Networks with names: containers that find each other, their way out, and what a kill does.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;

use crate::support::processes::{children, kill, processes};
use crate::support::{Lab, Running, Set, address, port, wait};

/// A lab with the payload and a network `app` of its own, with these options.
fn lab(options: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    lab.rc(["network", "create"]).args(options.iter().copied()).arg("app").run().prints("app\n");
    lab
}

/// Starts a container in these networks that waits to be killed.
#[track_caller]
fn start(lab: &Lab, name: &str, networks: &[&str]) {
    let networks = networks.iter().flat_map(|network| ["--network", network]);
    let run = lab.rc(["run", "-d", "--name", name]).args(networks);
    run.args(["payload", "/payload", "tcp", "7"]).run().succeeds();
    lab.ready(name);
}

/// What `asker` gets from the server in a container.
#[track_caller]
fn ask(lab: &Lab, asker: &str, address: &str, text: &str) -> String {
    lab.rc(["exec", asker, "/payload", "ask", "tcp", &format!("{address}:7"), text]).run().text()
}

/// The address from which this host reaches the world, if it has a default route.
pub(crate) fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("203.0.113.1", 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback())
}

/// A server on the host that greets once.
fn greeter(address: IpAddr) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind((address, 0)).expect("a port is free");
    let address = listener.local_addr().expect("a socket has an address").to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        stream.read_exact(&mut [0; 5]).expect("five bytes");
        stream.write_all(b"the host").expect("an answer");
    });
    (address, server)
}

/// The container `name` asks a server on the host.
#[track_caller]
fn reaches_the_host(lab: &Lab, name: &str) {
    let Some(outward) = outward() else { return };
    let (address, server) = greeter(outward);
    lab.rc(["exec", name, "/payload", "ask", "tcp", &address, "hello"]).run().prints("the host\n");
    server.join().expect("the server answers");
}

/// The PIDs of the ways out: children of the keepers.
fn helpers(lab: &Lab) -> Vec<i32> {
    processes(lab, "rc: net app").into_iter().flat_map(|keeper| children(keeper, "slirp4netns")).collect()
}

#[test]
fn containers_of_a_network_reach_each_other_and_the_host() {
    let lab = lab(&[]);
    start(&lab, "one", &["app"]);
    start(&lab, "two", &["app"]);
    let [one, two] = ["one", "two"].map(|name| address(&lab, name, "app"));
    assert_ne!(one, two);
    assert_eq!(ask(&lab, "one", &two, "to two"), "to two");
    assert_eq!(ask(&lab, "two", &one, "to one"), "to one");
    reaches_the_host(&lab, "one");
    reaches_the_host(&lab, "two");
    lab.remove_containers();
    lab.settle();
    assert!(!lab.store().join("networks/app/ctl").exists(), "the keeper takes its socket with it");
    let leases = fs::read_dir(lab.store().join("networks/app/leases")).expect("leases");
    assert_eq!(leases.count(), 0);
}

#[test]
fn a_program_runs_as_soon_as_its_packets_can_wait_for_the_way_out() {
    require!(program "slirp4netns");
    let lab = lab(&[]);
    let settings = lab.root().join("config/rc");
    fs::create_dir_all(&settings).expect("a directory");
    let helper = settings.join("helper");
    // It never says that it is ready.
    let script = "#!/bin/sh\n\
                  for word; do shift; case $word in --ready-fd=*);; *) set -- \"$@\" \"$word\";; esac; done\n\
                  exec /usr/bin/slirp4netns \"$@\"\n";
    fs::write(&helper, script).expect("written");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("executable");
    fs::write(settings.join("rc.toml"), format!("[helpers]\nslirp4netns = {helper:?}\n")).expect("written");
    start(&lab, "one", &["app"]);
    reaches_the_host(&lab, "one");
    lab.remove_containers();
}

#[test]
fn a_network_outlives_its_keeper_and_gets_another() {
    let lab = lab(&[]);
    start(&lab, "one", &["app"]);
    start(&lab, "two", &["app"]);
    let two = address(&lab, "two", "app");
    for _ in 0..3 {
        let keeper = wait::until("there is a keeper", || processes(&lab, "rc: net app").first().copied());
        kill(keeper);
        assert_eq!(ask(&lab, "one", &two, "without"), "without");
        wait::until("there is another keeper", || {
            processes(&lab, "rc: net app").iter().any(|pid| *pid != keeper).then_some(())
        });
        wait::until("there is a way out", || helpers(&lab).first().copied());
    }
    start(&lab, "three", &["app"]);
    assert_eq!(ask(&lab, "three", &two, "later"), "later");
    reaches_the_host(&lab, "three");
    reaches_the_host(&lab, "one");
    lab.remove_containers();
}

#[test]
fn a_way_out_that_is_killed_is_started_again() {
    let lab = lab(&[]);
    start(&lab, "one", &["app"]);
    let restarts = || {
        let filters = ["--filter", "type=network", "--filter", "event=restart", "--format", "{{.Name}}"];
        lab.rc(["events", "--stream=false"]).args(filters).run().text().lines().count()
    };
    for count in 1..=2 {
        let helper = wait::until("there is a helper", || helpers(&lab).first().copied());
        kill(helper);
        wait::until("there is another", || helpers(&lab).iter().any(|pid| *pid != helper).then_some(()));
        wait::until("it is told", || (restarts() == count).then_some(()));
    }
    start(&lab, "two", &["app"]);
    // Another keeper starts it again as well.
    kill(wait::until("there is a keeper", || processes(&lab, "rc: net app").first().copied()));
    wait::until("that is told", || (restarts() == 3).then_some(()));
    lab.remove_containers();
}

#[test]
fn an_internal_network_has_no_way_out() {
    let lab = lab(&["--internal"]);
    start(&lab, "one", &["app"]);
    start(&lab, "two", &["app"]);
    let two = address(&lab, "two", "app");
    assert_eq!(ask(&lab, "one", &two, "inside"), "inside");
    assert!(helpers(&lab).is_empty());
    let routes = lab.rc(["exec", "one", "/payload", "read", "/proc/net/route"]).run().text();
    assert!(!routes.lines().any(|line| line.split_whitespace().nth(1) == Some("00000000")), "{routes}");
    lab.remove_containers();
}

#[test]
fn a_container_in_two_networks_has_two_interfaces_and_one_default_route() {
    let lab = lab(&[]);
    lab.rc(["network", "create", "--internal", "inner"]).run().prints("inner\n");
    start(&lab, "app", &["app"]);
    start(&lab, "inner", &["inner"]);
    start(&lab, "both", &["inner", "app"]);
    let read = |file: &str| lab.rc(["exec", "both", "/payload", "read", file]).run().text();
    let interfaces = read("/proc/net/dev");
    assert!(interfaces.contains("eth0:") && interfaces.contains("eth1:"), "{interfaces}");
    let routes = read("/proc/net/route");
    let default: Vec<_> = routes.lines().filter(|line| line.split_whitespace().nth(1) == Some("00000000")).collect();
    assert!(default.len() == 1 && default[0].starts_with("eth1"), "{routes}");
    for network in ["app", "inner"] {
        let other = address(&lab, network, network);
        assert_eq!(ask(&lab, "both", &other, network), network);
    }
    let app = address(&lab, "app", "app");
    drop(lab.rc(["exec", "inner", "/payload", "ask", "tcp", &format!("{app}:7"), "x"]).run().exits(99));
    lab.remove_containers();
}

#[test]
fn a_network_has_ipv6_if_a_subnet_has() {
    let subnets = ["--subnet", "10.89.7.0/24", "--subnet", "fd00:7::/64"];
    let lab = lab(&subnets);
    start(&lab, "one", &["app"]);
    start(&lab, "two", &["app"]);
    assert_eq!(ask(&lab, "one", "[fd00:7::2]", "by IPv6"), "by IPv6");
    assert_eq!(ask(&lab, "one", "[fd00:7::3]", "by IPv6"), "by IPv6");
    assert_eq!(ask(&lab, "one", "10.89.7.3", "by IPv4"), "by IPv4");
    reaches_the_host(&lab, "one");
    lab.remove_containers();
    // One without IPv4 has names as well, and published ports for both families.
    lab.rc(["network", "create", "--ipv4=false", "--subnet", "fd00:8::/64", "six"]).run().succeeds();
    start(&lab, "one", &["six"]);
    let port = port::take(1);
    let run = lab.rc(["run", "-d", "--name", "two", "--network", "six", "-p", &format!("{port}:7")]);
    run.args(["payload", "/payload", "tcp", "7"]).run().succeeds();
    lab.ready("two");
    assert_eq!(lab.rc(["exec", "one", "/payload", "look-up", "udp", "aaaa", "two"]).run().text(), "fd00:8::3");
    assert_eq!(ask(&lab, "one", "[fd00:8::3]", "by IPv6"), "by IPv6");
    let asked = lab.program(Lab::payload_path(), ["ask", "tcp", &format!("127.0.0.1:{port}"), "by IPv4"]);
    assert_eq!(asked.run().text(), "by IPv4");
    lab.remove_containers();
}

#[test]
fn a_container_with_id_maps_of_its_own_is_connected() {
    let lab = lab(&[]);
    start(&lab, "one", &["app"]);
    let one = format!("{}:7", address(&lab, "one", "app"));
    let run = lab.rc(["run", "--rm", "--userns", "keep-id", "--network", "app", "payload", "/payload"]);
    run.args(["ask", "tcp", &one, "kept"]).run().prints("kept\n");
    // slirp4netns needs subordinate IDs for that.
    if Set::current() != Set::One {
        let run = lab.rc(["run", "--rm", "--userns", "keep-id", "--network", "slirp4netns", "payload", "/payload"]);
        run.args(["exit", "0"]).run().says_nothing();
    }
    lab.remove_containers();
}

#[test]
fn an_init_that_is_hidden_while_it_changes_its_ids_is_connected() {
    // Its root is another ID than the user's.
    only!(Full);
    require!(program "strace");
    let lab = lab(&[]);
    // newuidmap is not needed as long as it runs: a traced program gains no rights.
    start(&lab, "one", &["app"]);
    let hides = ["-e", "inject=setresuid:delay_exit=300000", "-e", "inject=setns:delay_enter=100000:when=2"];
    let trace = lab.work("trace");
    let strace = lab.program("strace", ["-f", "-qq", "-e", "trace=setns,setresuid", "-o"]).arg(&trace).args(hides);
    let run = strace.arg(Lab::rc_path()).args(["run", "--rm", "--userns", "nomap", "--network", "app"]);
    drop(run.args(["payload", "/payload", "exit", "7"]).run().exits(7));
    lab.remove_containers();
}

#[test]
fn a_network_is_joined_although_the_runtime_directory_was_removed() {
    let lab = lab(&[]);
    start(&lab, "one", &["app"]);
    fs::remove_dir_all(lab.root().join("run/rc")).expect("it can be removed");
    start(&lab, "two", &["app"]);
    let two = address(&lab, "two", "app");
    assert_eq!(ask(&lab, "one", &two, "joined"), "joined");
    lab.remove_containers();
}

#[test]
fn a_network_that_does_not_exist_is_named() {
    let lab = lab(&[]);
    let run = lab.rc(["run", "--rm", "--network", "app", "--network", "missing", "payload", "/payload", "exit", "0"]);
    run.run().fails(
        125,
        "rc: there is no network `missing`\n\
         hint: create it with `rc network create missing`, or use none, host, slirp4netns, pasta or podman\n",
    );
    lab.rc(["ps", "-a", "-q"]).run().says_nothing();
    let leases = fs::read_dir(lab.store().join("networks/app/leases")).expect("leases");
    assert_eq!(leases.count(), 0);
}

#[test]
fn a_hundred_at_once_have_addresses_of_their_own_and_leave_nothing() {
    let lab = lab(&[]);
    let words = ["run", "--rm", "--network", "app", "payload", "/payload", "exit", "0"];
    let all: Vec<Running> = (0..100).map(|_| lab.rc(words).start()).collect();
    for run in all {
        drop(run.wait().exits(0));
    }
    lab.settle();
    let leases = fs::read_dir(lab.store().join("networks/app/leases")).expect("leases");
    assert_eq!(leases.count(), 0);
}

#[test]
fn a_member_that_ends_or_whose_monitor_is_killed_leaves_the_others_names_ports_and_way_out() {
    let lab = lab(&[]);
    start(&lab, "one", &["app"]);
    start(&lab, "two", &["app"]);
    let port = port::take(1);
    let run = lab.rc(["run", "-d", "--name", "web", "--network", "app", "-p", &format!("{port}:7")]);
    run.args(["payload", "/payload", "tcp", "7"]).run().succeeds();
    lab.ready("web");
    let web = address(&lab, "web", "app");
    let keeper = || processes(&lab, "rc: net app");
    let before = (keeper(), helpers(&lab), processes(&lab, "rc: dns app"));
    let all_is_well = |how: &str| {
        assert_eq!(ask(&lab, "two", &web, how), how);
        let named = lab.rc(["exec", "two", "/payload", "look-up", "udp", "a", "web"]).run().text();
        assert_eq!(named, web, "{how}");
        reaches_the_host(&lab, "two");
        reaches_the_host(&lab, "web");
        let asked = lab.program(Lab::payload_path(), ["ask", "tcp", &format!("127.0.0.1:{port}"), how]);
        assert_eq!(asked.run().text(), how);
        // They are the processes that the first member's start has made.
        assert_eq!((keeper(), helpers(&lab), processes(&lab, "rc: dns app")), before, "{how}");
    };
    kill(processes(&lab, "rc: one").first().copied().expect("a monitor"));
    all_is_well("killed");
    lab.rc(["start", "one"]).run().prints("one\n");
    assert_eq!(ask(&lab, "one", &web, "again"), "again");
    lab.rc(["stop", "-t", "0", "one"]).run().succeeds();
    all_is_well("stopped");
    lab.rc(["rm", "one"]).run().succeeds();
    all_is_well("removed");
    lab.remove_containers();
}
