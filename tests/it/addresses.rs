//! Which container has which address of a network.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Exit, Lab};

/// A lab with the payload and the network `app` with these options.
fn lab(options: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    lab.rc(["network", "create"]).args(options.iter().copied()).arg("app").run().succeeds();
    lab
}

/// `rc run -d --name NAME WORDS payload`, which waits until it is killed.
fn start(lab: &Lab, name: &str, words: &[&str]) -> crate::support::Output {
    let run = lab.rc(["run", "-d", "--name", name]).args(words.iter().copied());
    run.args(["payload", "/payload", "tcp", "7"]).run()
}

#[track_caller]
fn endpoint(lab: &Lab, name: &str) -> Value {
    lab.rc(["inspect", name]).run().json()[0]["NetworkSettings"]["Networks"]["app"].clone()
}

/// The names in `leases/`.
fn leases(lab: &Lab) -> Vec<String> {
    let entries = fs::read_dir(lab.store().join("networks/app/leases")).expect("leases");
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn of_many_that_want_one_address_one_gets_it() {
    let lab = lab(&["--subnet", "10.212.1.0/24"]);
    let commands: Vec<_> = (0..40)
        .map(|number| {
            let name = format!("c{number}");
            let run = lab.rc(["run", "-d", "--name", &name, "--network", "app", "--ip", "10.212.1.77"]);
            run.args(["payload", "/payload", "hang"]).start()
        })
        .collect();
    let outputs: Vec<_> = commands.into_iter().map(|command| command.wait()).collect();
    let won = outputs.iter().filter(|output| output.exit == Exit::Code(0)).count();
    assert_eq!(won, 1);
    for output in outputs.iter().filter(|output| output.exit != Exit::Code(0)) {
        assert_eq!(output.exit, Exit::Code(125), "{output}");
        assert!(output.stderr().contains("the address `10.212.1.77` of the network `app` is in use by `c"), "{output}");
    }
    assert_eq!(leases(&lab), ["10.212.1.77"]);
    let names = lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().text();
    assert_eq!(names.lines().count(), 1, "the others left nothing: {names}");
    lab.remove_containers();
    // It is free again.
    start(&lab, "next", &["--network", "app:ip=10.212.1.77"]).succeeds();
    lab.remove_containers();
}

#[test]
fn addresses_go_round_and_a_full_network_says_who_has_them() {
    let lab = lab(&["--subnet", "10.212.2.0/29"]);
    let last = || fs::read_to_string(lab.store().join("networks/app/last")).expect("an address was given");
    for expected in [2, 3, 4, 5, 6, 2, 3] {
        lab.rc(["run", "--rm", "--network", "app", "payload", "/payload", "report"]).run().succeeds();
        assert_eq!(last(), format!("10.212.2.{expected}\n"));
        assert_eq!(leases(&lab), [""; 0]);
    }
    for number in 0..5 {
        start(&lab, &format!("c{number}"), &["--network", "app"]).succeeds();
    }
    assert_eq!(leases(&lab), [2, 3, 4, 5, 6].map(|number| format!("10.212.2.{number}")));
    let output = start(&lab, "sixth", &["--network", "app"]).exits(125);
    assert!(output.stderr().contains("the network `app` has no free address: 5 leases have all from"), "{output}");
    lab.rc(["ps", "-aq", "--filter", "name=sixth"]).run().prints("");
    lab.rc(["rm", "-f", "c2"]).run().succeeds();
    start(&lab, "sixth", &["--network", "app"]).succeeds();
    lab.remove_containers();
    assert_eq!(leases(&lab), [""; 0]);
}

#[test]
fn what_was_asked_for_is_given_and_shown() {
    let subnets = ["--subnet", "10.212.3.0/24", "--subnet", "fd12:3::/64", "--ip-range", "10.212.3.64/26"];
    let lab = lab(&[&subnets[..], &["--aux-address", "nas=10.212.3.65", "--aux-address", "tv=fd12:3::a"]].concat());
    let words = "--network app --ip 10.212.3.9 --ip6 fd12:3::9 --mac-address 02:42:00:00:00:07 --network-alias db";
    start(&lab, "one", &words.split(' ').collect::<Vec<_>>()).succeeds();
    lab.ready("one");
    let one = endpoint(&lab, "one");
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "one"]).run().text();
    for (key, expected) in [
        ("IPAddress", json!("10.212.3.9")),
        ("IPPrefixLen", json!(24)),
        ("Gateway", json!("10.212.3.1")),
        ("GlobalIPv6Address", json!("fd12:3::9")),
        ("GlobalIPv6PrefixLen", json!(64)),
        ("IPv6Gateway", json!("fd12:3::1")),
        ("MacAddress", json!("02:42:00:00:00:07")),
        ("NetworkID", json!("app")),
        ("IPAMConfig", json!({ "IPv4Address": "10.212.3.9", "IPv6Address": "fd12:3::9" })),
        ("Aliases", json!(["db", id[..12]])),
    ] {
        assert_eq!(one[key], expected, "{key}");
    }
    // As docker, it has the network's ID, and others find the namespace by a path.
    let shown = "{{.NetworkSettings.Networks.app.NetworkID}} {{.NetworkSettings.SandboxKey}}";
    let seen =
        crate::dialects::called(&lab, "docker", &format!("inspect -f {} one", shown.replace(' ', "_"))).run().text();
    let place = lab.rc(["inspect", "-f", "/proc/{{.State.Pid}}/ns/net", "one"]).run().text();
    let network = lab.rc(["network", "inspect", "-f", "{{.ID}}", "app"]).run().text();
    assert_eq!(seen, format!("{network} {place}"));
    let mac = lab.rc(["exec", "one", "/payload", "read", "/sys/class/net/eth0/address"]).run().text();
    assert_eq!(mac.trim(), "02:42:00:00:00:07");
    // Who asks for nothing gets an address of the range, and a MAC address that belongs to it.
    start(&lab, "two", &["--network", "app"]).succeeds();
    let two = endpoint(&lab, "two");
    assert_eq!((&two["IPAddress"], &two["MacAddress"]), (&json!("10.212.3.66"), &json!("02:42:0a:d4:03:42")));
    assert_eq!(two["GlobalIPv6Address"], "fd12:3::b");
    let kept = start(&lab, "three", &["--network", "app", "--ip", "10.212.3.65"]).exits(125);
    assert!(kept.stderr().contains("cannot be a container's: the network `app` keeps it for `nas`"), "{kept}");
    for address in ["10.212.3.9:7", "[fd12:3::9]:7"] {
        lab.rc(["exec", "two", "/payload", "ask", "tcp", address, "hello"]).run().prints("hello\n");
    }
    let network = lab.rc(["network", "inspect", "app"]).run().json()[0].clone();
    let member = json!({ "name": "one", "interfaces": { "eth0": {
        "subnets": [
            { "ipnet": "10.212.3.9/24", "gateway": "10.212.3.1" }, { "ipnet": "fd12:3::9/64", "gateway": "fd12:3::1" },
        ],
        "mac_address": "02:42:00:00:00:07",
    } } });
    assert_eq!(network["containers"][&id], member);
    let lease: Value =
        serde_json::from_slice(&fs::read(lab.store().join("networks/app/leases/10.212.3.9")).expect("a lease"))
            .expect("JSON");
    assert_eq!(lease["names"], json!(["one", "db", id[..12]]));
    assert_eq!(leases(&lab).len(), 4, "one for each family of each container");
    // A container that does not run has none, and is no member.
    lab.rc(["kill", "one"]).run().succeeds();
    lab.rc(["wait", "one"]).run().succeeds();
    assert_eq!(endpoint(&lab, "one")["IPAddress"], "");
    let network = lab.rc(["network", "inspect", "-f", "{{len .Containers}}", "app"]).run().text();
    assert_eq!(network, "1");
    lab.remove_containers();
}

#[test]
fn the_default_network_is_there_under_three_names() {
    let lab = Lab::with_payload();
    for (number, name) in ["bridge", "podman", "default"].into_iter().enumerate() {
        start(&lab, name, &["--network", name]).succeeds();
        let shown = lab.rc(["inspect", name]).run().json()[0]["NetworkSettings"].clone();
        assert_eq!(shown["Networks"]["podman"]["IPAddress"], format!("10.88.0.{}", number + 2));
    }
    lab.rc(["ps", "--filter", "network=bridge", "--format", "{{.Networks}}"]).run().prints("podman\npodman\npodman\n");
    lab.remove_containers();
}
