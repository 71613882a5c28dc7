//! `rc unshare --rootless-netns`: a process of the user's in a network with a name.

use crate::support::{Lab, wait};

#[test]
fn a_command_reaches_the_containers_of_a_network_by_address_and_by_name() {
    let lab = Lab::new();
    lab.payload();
    lab.rc(["network", "create", "app"]).run().succeeds();
    lab.rc(["run", "-d", "--name", "db", "--network", "app", "payload", "/payload", "tcp", "7"]).run().succeeds();
    lab.ready("db");
    let address = lab.rc(["inspect", "-f", "{{.NetworkSettings.Networks.app.IPAddress}}", "db"]).run().text();
    let within = |words: &[&str]| {
        lab.rc(["unshare", "--rootless-netns=app"]).arg(Lab::payload_path()).args(words).run().text().trim().to_owned()
    };
    assert_eq!(within(&["ask", "tcp", &format!("{address}:7"), "hello"]), "hello");
    assert_eq!(within(&["look-up", "udp", "a", "db"]), address);
    assert!(within(&["read", "/etc/resolv.conf"]).starts_with("nameserver 10.89."));
    lab.remove_containers();
}

#[test]
fn a_network_without_containers_is_made_and_lives_as_long_as_the_command() {
    let lab = Lab::new();
    lab.rc(["network", "create", "--internal", "app"]).run().succeeds();
    for (option, bridge) in [("--rootless-netns=app", "podman1:"), ("--rootless-netns", "podman0:")] {
        let devices = lab.rc(["unshare", option]).arg(Lab::payload_path()).args(["read", "/proc/net/dev"]).run().text();
        assert!(devices.contains(bridge), "{devices}");
    }
    for network in ["app", "podman"] {
        let socket = lab.store().join("networks").join(network).join("ctl");
        wait::until("the end of the network", || (!socket.exists()).then_some(()));
    }
    let refused = lab.rc(["unshare", "--rootless-netns=ghost", "true"]).run().exits(125);
    assert!(refused.stderr().contains("no such network: ghost"), "{refused}");
}
