//! The network of pods: ports, addresses, and the names of members.

use serde_json::json;

use crate::pods::{inspect, kill_monitor, lab, remove, start};
use crate::support::{Exit, Lab, wait};

/// The lines of a member's `/etc/hosts` that name something at this address.
fn named_at(lab: &Lab, member: &str, address: &str) -> Vec<String> {
    let text = lab.rc(["exec", member, "/payload", "read", "/etc/hosts"]).run().text();
    let lines = text.lines().filter_map(|line| line.strip_prefix(address));
    lines.filter(|names| !names.contains("localhost")).map(|names| names.trim().to_owned()).collect()
}

#[test]
fn members_find_each_other_by_name_as_long_as_they_run() {
    let (lab, id) = lab(&["--network", "none", "--infra-name", "p-infra"]);
    start(&lab, "one", &[], &["sleep"]);
    start(&lab, "two", &["--uts", "private", "--hostname", "second"], &["sleep"]);
    start(&lab, "apart", &["--network", "none"], &["sleep"]);
    let expected = ["p p-infra", "one", "two second"];
    assert_eq!(named_at(&lab, "one", "127.0.0.1"), expected);
    assert_eq!(named_at(&lab, "two", "127.0.0.1"), expected);
    assert!(!named_at(&lab, "apart", "127.0.0.1").contains(&"one".to_owned()));
    // Those that run see a pod whose monitor was killed in the same file.
    kill_monitor(&lab, &id);
    wait::until("all are named again", || (named_at(&lab, "one", "127.0.0.1").len() == 3).then_some(()));
    lab.rc(["rm", "-f", "-t", "0", "two"]).run().succeeds();
    wait::until("it is not named any more", || {
        (named_at(&lab, "one", "127.0.0.1") == ["p p-infra", "one"]).then_some(())
    });
    remove(&lab);
}

#[test]
fn others_of_its_network_find_a_pod_by_the_names_of_its_members() {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "app"]).run().succeeds();
    lab.rc(["pod", "create", "--network", "app", "p"]).run().succeeds();
    lab.rc(["run", "-d", "--network", "app", "--name", "other", "payload", "/payload", "hang"]).run().succeeds();
    start(&lab, "one", &[], &["sleep"]);
    start(&lab, "two", &[], &["sleep"]);
    let look_up =
        |name: &str| lab.rc(["exec", "other", "/payload", "look-up", "udp", "a", name]).run().text().trim().to_owned();
    // As podman, a member shows the pod's network as its own.
    let address = lab.rc(["inspect", "-f", "{{.NetworkSettings.Networks.app.IPAddress}}", "one"]).run().text();
    assert!(address.starts_with("10.89."), "{address}");
    for name in ["p", "one", "two", "two.app"] {
        assert_eq!(look_up(name), address, "{name}");
    }
    // One that is renamed is found by its new name alone.
    lab.rc(["rename", "two", "second"]).run().succeeds();
    wait::until("it has its new name", || (look_up("second.dns.podman") == address).then_some(()));
    assert_eq!(look_up("two.dns.podman"), "NXDOMAIN");
    assert_eq!(named_at(&lab, "one", "127.0.0.1"), ["one", "second"]);
    lab.rc(["rm", "-f", "-t", "0", "second"]).run().succeeds();
    wait::until("it is not found any more", || (look_up("second.dns.podman") == "NXDOMAIN").then_some(()));
    assert_eq!(look_up("one"), address);
    lab.rc(["rm", "-f", "-t", "0", "other"]).run().succeeds();
    remove(&lab);
}

#[test]
fn a_container_of_a_pod_shows_the_ports_of_the_pod() {
    require!(program "slirp4netns");
    let (lab, _) = lab(&["--network", "slirp4netns", "-p", "127.0.0.1::80"]);
    lab.rc(["create", "--pod", "p", "--name", "one", "payload", "/payload", "sleep"]).run().succeeds();
    let bindings = inspect(&lab)["InfraConfig"]["PortBindings"]["80/tcp"][0]["HostPort"].take();
    let port = bindings.as_str().expect("a port").to_owned();
    lab.rc(["ps", "-a", "--format", "{{.Ports}}"]).run().prints(format!("127.0.0.1:{port}->80/tcp\n"));
    lab.rc(["pod", "start", "p"]).run().succeeds();
    lab.rc(["ps", "--format", "{{.Ports}}"]).run().prints(format!("127.0.0.1:{port}->80/tcp\n"));
    lab.rc(["port", "one"]).run().prints(format!("80/tcp -> 127.0.0.1:{port}\n"));
    remove(&lab);
}

/// What the server of the pod answers at a published port of the host.
fn asked_at(port: u16) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"hello").ok()?;
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer).filter(|answer| answer.contains("hello"))
}

#[test]
fn a_published_port_is_the_pod_s_and_outlives_its_monitor() {
    require!(program "slirp4netns");
    let (lab, id) = lab(&["--network", "slirp4netns", "-p", "127.0.0.1::80"]);
    let bindings = inspect(&lab)["InfraConfig"]["PortBindings"]["80/tcp"][0]["HostPort"].take();
    let port: u16 = bindings.as_str().and_then(|port| port.parse().ok()).expect("a port");
    start(&lab, "one", &[], &["tcp", "80"]);
    wait::until("the server answers", || asked_at(port));
    kill_monitor(&lab, &id);
    wait::until("the server answers again", || asked_at(port));
    remove(&lab);
}

#[test]
fn a_pod_keeps_its_address_in_a_network_when_its_monitor_is_killed() {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "--internal", "app"]).run().succeeds();
    let id = lab.rc(["pod", "create", "--network", "app", "p"]).run().text().trim().to_owned();
    start(&lab, "one", &[], &["tcp", "7"]);
    let other = ["run", "-d", "--network", "app", "--name", "other", "payload", "/payload", "sleep"];
    lab.rc(other).run().succeeds();
    let members = lab.rc(["network", "inspect", "app"]).run().json()[0]["containers"].take();
    let address = members[&id]["interfaces"]["eth0"]["subnets"][0]["ipnet"].as_str().expect("an address").to_owned();
    let server = address.replace("/24", ":7");
    let asked = || {
        let asked = lab.rc(["exec", "other", "/payload", "ask", "tcp", &server, "hello"]).run();
        (asked.exit == Exit::Code(0)).then_some(())
    };
    wait::until("the pod answers", asked);
    kill_monitor(&lab, &id);
    let now = lab.rc(["network", "inspect", "app"]).run().json()[0]["containers"].take();
    assert_eq!(now[&id]["interfaces"]["eth0"]["subnets"][0]["ipnet"], json!(address));
    wait::until("the pod answers again at the same address", asked);
    let refused = lab.rc(["network", "rm", "app"]).run().exits(2);
    assert!(refused.stderr().contains("in use by"), "{refused}");
    lab.remove_containers();
    lab.rc(["network", "rm", "-f", "-t", "0", "app"]).run().succeeds();
    lab.rc(["pod", "exists", "p"]).run().is(1, "", "");
    lab.settle();
}
