//! The network, and the files that name hosts.

use std::fs;

use serde_json::json;

use super::{inspect, refused, report, run};
use crate::support::{Lab, wait};

#[test]
fn the_host_name_is_in_all_three_places() {
    let lab = Lab::new();
    lab.payload();
    let named = ["--hostname", "box.example"];
    assert_eq!(report(&lab, &named)["hostname"], "box.example");
    run(&lab, &named, &["read", "/etc/hostname"]).prints("box.example\n");
    let hosts = run(&lab, &named, &["read", "/etc/hosts"]).text();
    assert!(hosts.lines().any(|line| line.split_whitespace().any(|word| word == "box.example")), "{hosts}");
    refused(run(&lab, &["--hostname", "a\nb"], &["report"]), "`--hostname`");
}

#[test]
fn hosts_and_resolver_files_have_the_requested_entries() {
    let lab = Lab::new();
    lab.payload();
    let added = ["--add-host", "db:10.1.2.3", "--add-host", "six:fd00::1"];
    let hosts = run(&lab, &added, &["read", "/etc/hosts"]).text();
    for (address, name) in [("10.1.2.3", "db"), ("fd00::1", "six")] {
        let found = hosts.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == [address, name]);
        assert!(found, "{name}: {hosts}");
    }
    require!(program "slirp4netns");
    let words = ["--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:3"];
    let resolver = lab
        .rc(["run", "--rm", "--network", "slirp4netns"])
        .args(words)
        .args(["payload", "/payload", "read", "/etc/resolv.conf"])
        .run()
        .text();
    for line in ["nameserver 192.0.2.53", "search example.org", "options ndots:3"] {
        assert!(resolver.lines().any(|found| found == line), "{line}: {resolver}");
    }
    refused(run(&lab, &["--dns", "not-an-address"], &["report"]), "`--dns`");
}

#[test]
fn hosts_and_resolver_files_are_rewritten_at_each_start() {
    let lab = Lab::new();
    lab.payload();
    lab.rc(["create", "--name", "web", "--network", "none", "payload", "/payload", "read", "/etc/hosts"])
        .run()
        .succeeds();
    let first = lab.rc(["start", "-a", "web"]).run().text();
    assert!(first.contains("localhost"), "{first}");
    // The container or the host may have changed them.
    let directory =
        fs::read_dir(lab.store().join("containers")).expect("containers").next().expect("one").expect("read").path();
    fs::write(directory.join("hosts"), "10.0.0.1 old\n").expect("written");
    let unreadable = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    fs::set_permissions(directory.join("hosts"), unreadable).expect("its mode is changed");
    assert_eq!(lab.rc(["start", "-a", "web"]).run().text(), first);
    lab.remove_containers();
}

#[test]
fn a_network_is_the_containers_own_or_the_hosts() {
    let lab = Lab::new();
    lab.payload();
    let network = |mode: &str| {
        let line = ["run", "--rm", "--network", mode, "payload", "/payload", "report"];
        lab.rc(line).run().json()["namespaces"]["net"].clone()
    };
    let host = json!(fs::read_link("/proc/self/ns/net").unwrap().to_string_lossy());
    assert_ne!(network("none"), host);
    assert_eq!(network("host"), host);
    for (mode, reason) in
        [("bridge", "no bridge networks"), ("container:x", "cannot be joined"), ("backend", "neither none")]
    {
        refused(lab.rc(["run", "--rm", "--network", mode, "payload", "/payload", "report"]).run(), reason);
    }
}

#[test]
fn a_published_port_is_answered_from_inside() {
    let lab = Lab::new();
    lab.payload();
    for (mode, program) in [("slirp4netns", "slirp4netns"), ("pasta", "pasta")] {
        require!(program program);
        let line =
            ["run", "-d", "--name", mode, "--network", mode, "-p", "127.0.0.1::80", "payload", "/payload", "tcp", "80"];
        lab.rc(line).run().succeeds();
        let port = inspect(&lab, mode)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].clone();
        let address = format!("127.0.0.1:{}", port.as_str().expect("a host port"));
        wait::until("the published port answers", || {
            let answer = lab.program(Lab::payload_path(), ["ask", "tcp", &address, "hello"]).run();
            (answer.stdout() == "hello\n" || answer.stdout() == "hello").then_some(())
        });
    }
    lab.remove_containers();
}
