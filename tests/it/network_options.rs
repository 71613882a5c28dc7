//! What the options of networks with names do to their members, and networks that were left behind.

use std::net::Ipv4Addr;

use crate::support::processes::processes;
use crate::support::{Lab, Signal, port};

/// Starts a container that greets on port 7, or waits.
#[track_caller]
fn start(lab: &Lab, name: &str, options: &[&str], words: &[&str]) {
    lab.rc(["run", "-d", "--name", name]).args(options).args(["payload", "/payload"]).args(words).run().succeeds();
    lab.ready(name);
}

#[track_caller]
fn read(lab: &Lab, name: &str, file: &str) -> String {
    lab.rc(["exec", name, "/payload", "read", file]).run().text()
}

/// The container's routes, `INTERFACE DESTINATION GATEWAY METRIC MASK` each.
#[track_caller]
fn routes(lab: &Lab, name: &str) -> Vec<String> {
    let address = |hex: &str| Ipv4Addr::from(u32::from_str_radix(hex, 16).expect("hex digits").to_ne_bytes());
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [to, by, mask] = [1, 2, 7].map(|at| address(words[at]));
        format!("{} {to} {by} {} {mask}", words[0], words[6])
    };
    let mut routes: Vec<String> = read(lab, name, "/proc/net/route").lines().skip(1).map(line).collect();
    routes.sort();
    routes
}

#[test]
fn options_of_a_network_act_in_its_members() {
    let lab = Lab::with_payload();
    let create = |words: &str| lab.rc(["network", "create"]).args(words.split(' ')).run().succeeds();
    create(
        "--subnet 10.91.3.0/24 --gateway 10.91.3.254 --opt mtu=1400,metric=77 --route 10.99.0.0/16,10.91.3.7,5 \
         --interface-name net7 app",
    );
    create("--subnet 10.91.4.0/24 --opt no_default_route=1 quiet");
    create("--subnet 10.91.5.0/24 --disable-dns mute");
    create("--ipam-driver none bare");
    start(&lab, "one", &["--network", "app:interface_name=lan0"], &["hang"]);
    assert_eq!(read(&lab, "one", "/sys/class/net/lan0/mtu"), "1400");
    assert_eq!(
        routes(&lab, "one"),
        [
            "lan0 0.0.0.0 10.91.3.254 77 0.0.0.0",
            "lan0 10.91.3.0 0.0.0.0 0 255.255.255.0",
            "lan0 10.99.0.0 10.91.3.7 5 255.255.0.0",
        ]
    );
    assert!(read(&lab, "one", "/etc/resolv.conf").starts_with("nameserver 10.91.3.254\n"));
    // The default route is by the first network that has one to give.
    start(&lab, "many", &["--network", "quiet", "--network", "bare", "--network", "mute"], &["hang"]);
    assert_eq!(read(&lab, "many", "/sys/class/net/eth0/mtu"), "16000", "what the way out carries best");
    let connected = |interface: &str, network: &str| format!("{interface} {network} 0.0.0.0 0 255.255.255.0");
    let default = routes(&lab, "many").into_iter().filter(|route| route.contains(" 0.0.0.0 10.")).collect::<Vec<_>>();
    assert!(default.len() == 1 && default[0].starts_with("eth2 0.0.0.0 10.91.5.1 "), "{default:?}");
    for route in [connected("eth0", "10.91.4.0"), connected("eth2", "10.91.5.0")] {
        assert!(routes(&lab, "many").contains(&route), "{route}");
    }
    // Of the three, one has names to answer; one gives no address.
    let resolv_conf = read(&lab, "many", "/etc/resolv.conf");
    assert!(resolv_conf.starts_with("nameserver 10.91.4.1\n"), "{resolv_conf}");
    assert_eq!(resolv_conf.matches("nameserver").count(), 1, "{resolv_conf}");
    let bare = lab.rc(["inspect", "-f", "{{json .NetworkSettings.Networks.bare.IPAddress}}", "many"]).run();
    bare.prints("\"\"\n");
    assert!(read(&lab, "many", "/proc/net/dev").contains("eth1:"));
    lab.remove_containers();
}

#[test]
fn a_published_port_is_reached_from_any_network_by_the_host_s_address() {
    let Some(outward) = crate::bridge::outward() else { skip!("no default route") };
    let lab = Lab::with_payload();
    for network in ["app", "other"] {
        lab.rc(["network", "create", network]).run().succeeds();
    }
    let port = port::take(1);
    start(&lab, "web", &["--network", "app", "-p", &format!("{port}:7")], &["greet", "7"]);
    start(&lab, "near", &["--network", "app"], &["hang"]);
    start(&lab, "far", &["--network", "other"], &["hang"]);
    // Each comes by its network's way out, so as the host.
    for name in ["web", "near", "far"] {
        let greeted = lab.rc(["exec", name, "/payload", "greeted", &format!("{outward}:{port}")]).run();
        greeted.prints(format!("{outward}\n"));
    }
    lab.remove_containers();
}

#[test]
fn a_network_whose_processes_were_all_killed_serves_the_next_start() {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "--subnet", "10.91.6.0/29", "app"]).run().succeeds();
    for name in ["one", "two", "three", "four"] {
        start(&lab, name, &["--network", "app"], &["tcp", "7"]);
    }
    // At one moment: one that is killed later would repair what is left, or end in order.
    for name in ["rc: net app", "rc: one", "rc: two", "rc: three", "rc: four"] {
        for pid in processes(&lab, name).into_iter().filter_map(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, Signal::STOP).expect("it lives");
        }
    }
    lab.kill_everything();
    let networks = lab.store().join("networks/app");
    assert!(networks.join("ctl").exists(), "what was killed has left its socket");
    assert_eq!(std::fs::read_dir(networks.join("leases")).expect("leases").count(), 4);
    // Nobody is a member; of five addresses four have leases of the dead, which are no obstacle.
    lab.rc(["network", "inspect", "-f", "{{len .Containers}}", "app"]).run().prints("0\n");
    lab.rc(["ps", "-q"]).run().prints("");
    for name in ["five", "six", "seven"] {
        start(&lab, name, &["--network", "app"], &["tcp", "7"]);
    }
    lab.rc(["start", "two"]).run().prints("two\n");
    assert_eq!(lab.rc(["exec", "five", "/payload", "look-up", "udp", "a", "seven"]).run().text(), "10.91.6.3");
    lab.rc(["exec", "five", "/payload", "ask", "tcp", "10.91.6.3:7", "again"]).run().prints("again\n");
    for dead in ["one", "three"] {
        let name = format!("{dead}.dns.podman");
        lab.rc(["exec", "five", "/payload", "look-up", "udp", "a", &name]).run().prints("NXDOMAIN\n");
    }
    lab.remove_containers();
    lab.settle();
    assert_eq!(std::fs::read_dir(networks.join("leases")).expect("leases").count(), 0);
    assert!(!networks.join("ctl").exists());
}
