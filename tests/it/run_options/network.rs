//! The network, and the files that name hosts.

use std::fs;

use serde_json::json;

use super::{inspect, refused, report, run};
use crate::support::{Image, Lab, Layer, Output, wait};

#[test]
fn the_host_name_is_in_all_three_places() {
    let lab = Lab::with_payload();
    let named = ["--hostname", "box.example"];
    assert_eq!(report(&lab, &named)["hostname"], "box.example");
    run(&lab, &named, &["read", "/etc/hostname"]).prints("box.example\n");
    let hosts = run(&lab, &named, &["read", "/etc/hosts"]).text();
    assert!(hosts.lines().any(|line| line.split_whitespace().any(|word| word == "box.example")), "{hosts}");
    refused(run(&lab, &["--hostname", "a\nb"], &["report"]), "`--hostname`");
}

#[test]
fn hosts_and_resolver_files_have_the_requested_entries() {
    let lab = Lab::with_payload();
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
    let lab = Lab::with_payload();
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
    let lab = Lab::with_payload();
    let network = |mode: &str| {
        let line = ["run", "--rm", "--network", mode, "payload", "/payload", "report"];
        lab.rc(line).run().json()["namespaces"]["net"].clone()
    };
    let host = json!(fs::read_link("/proc/self/ns/net").unwrap().to_string_lossy());
    assert_ne!(network("none"), host);
    assert_eq!(network("host"), host);
    for (mode, reason) in [("container:x", "no such container"), ("backend", "there is no network `backend`")] {
        refused(lab.rc(["run", "--rm", "--network", mode, "payload", "/payload", "report"]).run(), reason);
    }
}

#[test]
fn a_published_port_is_answered_from_inside() {
    let lab = Lab::with_payload();
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

/// The payload on a network.
fn on(lab: &Lab, network: &str, words: &[&str]) -> Output {
    lab.rc(["run", "--rm", "--network", network, "payload", "/payload"]).args(words).run()
}

#[test]
fn options_of_slirp4netns_act() {
    require!(program "slirp4netns");
    let lab = Lab::with_payload();
    on(&lab, "slirp4netns:mtu=1400", &["read", "/sys/class/net/eth0/mtu"]).prints("1400\n");
    let elsewhere = "slirp4netns:cidr=10.77.0.0/16,enable_ipv6=true,port_handler=slirp4netns";
    let hosts = on(&lab, elsewhere, &["read", "/etc/hosts"]).text();
    assert!(hosts.contains("\n10.77.0.100\t"), "{hosts}");
    let routes = on(&lab, elsewhere, &["read", "/proc/net/route"]).text();
    // 10.77.0.2 and 10.77.0.0 as the kernel writes them.
    assert!(routes.contains("02004D0A") && routes.contains("00004D0A"), "{routes}");
    let container = ["run", "-d", "--network", elsewhere, "--name", "box", "-p", "127.0.0.1::80", "payload"];
    lab.rc(container).args(["/payload", "tcp", "80"]).run().succeeds();
    let network = inspect(&lab, "box")["NetworkSettings"].take();
    assert_eq!((&network["IPAddress"], &network["Gateway"]), (&json!("10.77.0.100"), &json!("10.77.0.2")));
    assert_eq!(network["IPPrefixLen"], 16);
    let port = network["Ports"]["80/tcp"][0]["HostPort"].as_str().expect("a port").to_owned();
    let address = format!("127.0.0.1:{port}");
    wait::until("the published port answers", || {
        let answer = lab.program(Lab::payload_path(), ["ask", "tcp", &address, "hello"]).run();
        answer.stdout().starts_with("hello").then_some(())
    });
    // The kernel takes its address from an advertisement.
    wait::until("an address of IPv6 is there", || {
        let addresses = lab.rc(["exec", "box", "/payload", "read", "/proc/net/if_inet6"]).run().text();
        addresses.lines().any(|line| line.starts_with("fd00") && line.ends_with("eth0")).then_some(())
    });
    lab.remove_containers();
    for (options, reason) in [
        ("mtu=x", "`mtu=x` must be a number of bytes"),
        ("port_handler=rootlesskit", "without rootlesskit"),
        ("nothing=1", "`nothing=1` must be one of allow_host_loopback"),
    ] {
        refused(on(&lab, &format!("slirp4netns:{options}"), &["report"]), reason);
    }
}

#[test]
fn options_of_pasta_act() {
    require!(program "pasta");
    let lab = Lab::with_payload();
    on(&lab, "pasta:-4,--mtu,1400", &["read", "/sys/class/net/eth0/mtu"]).prints("1400\n");
    for (options, reason) in [
        ("-t,80", "published by `--publish`"),
        ("--pcap,/tmp/x", "pasta option `--pcap` must be one of"),
        ("-a,10.0.0.1", "rc configures the container's interface itself"),
    ] {
        let output = on(&lab, &format!("pasta:{options}"), &["report"]);
        refused(output, reason);
    }
}

#[test]
fn the_host_s_loopback_is_open_to_those_who_ask() {
    require!(program "slirp4netns");
    require!(program "pasta");
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = listener.local_addr().expect("an address").port();
    let lab = Lab::with_payload();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.expect("a connection");
                std::io::copy(&mut stream.try_clone().expect("a copy"), &mut stream).ok();
            }
        });
        let inward = format!("pasta:-T,{port}");
        for (network, host) in [("slirp4netns:allow_host_loopback=true", "10.0.2.2"), (&inward, "127.0.0.1")] {
            let answer = on(&lab, network, &["ask", "tcp", &format!("{host}:{port}"), "hello"]);
            assert!(answer.stdout().starts_with("hello"), "{network}: {answer}");
        }
    });
}

#[test]
fn without_a_name_server_the_image_s_resolver_stays() {
    let lab = Lab::new();
    let layer = Layer::new().directory("etc", 0o755).file("etc/resolv.conf", 0o644, b"nameserver 192.0.2.1\n");
    let archive = lab.work("image.tar");
    fs::write(&archive, Image::payload().layer(layer.bytes()).oci_archive("localhost/own:latest")).expect("an archive");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    let read = |options: &[&str]| {
        let run = lab.rc(["run", "--rm", "--network", "none"]).args(options);
        run.args(["own", "/payload", "read", "/etc/resolv.conf"]).run()
    };
    read(&["--dns", "none"]).prints("nameserver 192.0.2.1\n");
    assert!(!read(&[]).text().contains("192.0.2.1"));
    refused(read(&["--dns", "none", "--dns", "9.9.9.9"]), "cannot be combined");
}

#[test]
fn exposed_ports_are_published_all_at_once() {
    require!(program "slirp4netns");
    let lab = Lab::with_payload();
    let line = ["run", "-d", "--network", "slirp4netns", "--name", "box", "-P", "--expose", "80", "--expose", "53/udp"];
    lab.rc(line).args(["payload", "/payload", "tcp", "80"]).run().succeeds();
    let object = inspect(&lab, "box");
    assert_eq!(object["HostConfig"]["PublishAllPorts"], true);
    assert_eq!(object["Config"]["ExposedPorts"], json!({ "53/udp": {}, "80/tcp": {} }));
    assert!(object["NetworkSettings"]["Ports"]["53/udp"][0]["HostPort"].is_string(), "{object}");
    let port = object["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].as_str().expect("a port").to_owned();
    let address = format!("127.0.0.1:{port}");
    wait::until("the published port answers", || {
        let answer = lab.program(Lab::payload_path(), ["ask", "tcp", &address, "hello"]).run();
        answer.stdout().starts_with("hello").then_some(())
    });
    // Exposing alone publishes nothing.
    lab.rc(["create", "--name", "shut", "--expose", "7-8", "payload", "/payload"]).run().succeeds();
    let object = inspect(&lab, "shut");
    assert_eq!(object["NetworkSettings"]["Ports"], json!({ "7/tcp": null, "8/tcp": null }));
    lab.remove_containers();
    refused(run(&lab, &["--expose", "x"], &["report"]), "`--expose`");
}
