//! `rc unshare --rootless-netns`: a process of the user's in a network with a name.

use std::fs;

use crate::support::{Exit, Lab, Signal, wait};

#[test]
fn a_command_reaches_the_containers_of_a_network_by_address_and_by_name() {
    let lab = Lab::with_payload();
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
    for (option, network, bridge) in
        [("--rootless-netns=app", "app", "podman1:"), ("--rootless-netns", "podman", "podman0:")]
    {
        let within = |words: &[&str]| lab.rc(["unshare", option]).arg(Lab::payload_path()).args(words);
        let first = within(&["hang"]).start();
        let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let own = fs::read_link("/proc/self/ns/net").expect("a namespace");
        let found = wait::until("the command is in a network", || namespace(first.pid()).filter(|it| *it != own));
        // The end of another one does not end it.
        for _ in 0..2 {
            let report = within(&["report"]).run().json();
            assert_eq!(report["namespaces"]["net"], found.to_str().expect("a link"), "{report}");
        }
        let devices = within(&["read", "/proc/net/dev"]).run().text();
        assert!(devices.contains(bridge), "{devices}");
        if network == "app" {
            let refused = lab.rc(["network", "rm", "-f", "app"]).run().exits(2);
            assert!(refused.stderr().contains("`app` is in use by `rc unshare --rootless-netns`"), "{refused}");
            lab.rc(["network", "prune", "-f"]).run().prints("");
            // It does not even ask.
            lab.rc(["network", "prune"]).input("").run().says_nothing();
        }
        first.kill(Signal::KILL);
        assert_eq!(first.wait().exit, Exit::Signal(9));
        let socket = lab.store().join("networks").join(network).join("ctl");
        wait::until("the end of the network", || (!socket.exists()).then_some(()));
    }
    lab.rc(["network", "rm", "app"]).run().prints("app\n");
    let refused = lab.rc(["unshare", "--rootless-netns=ghost", "true"]).run().exits(125);
    assert!(refused.stderr().contains("no such network: ghost"), "{refused}");
}
