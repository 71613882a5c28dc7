//! Names in networks: who answers what to whom, and who is asked outside.

mod host;

use std::fs;

use crate::support::processes::{kill, processes};
use crate::support::{Lab, address, wait};

/// A lab with the payload and networks `app` and `other`, created with these options.
fn lab(options: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    create(&lab, "app", 1, options);
    create(&lab, "other", 2, options);
    lab
}

/// Makes a network with names: 10.89.NUMBER.0/24.
fn create(lab: &Lab, name: &str, number: u8, options: &[&str]) {
    let subnet = format!("10.89.{number}.0/24");
    lab.rc(["network", "create", "--subnet", &subnet]).args(options).arg(name).run().succeeds();
}

/// Starts a container that waits to be killed.
#[track_caller]
fn start(lab: &Lab, name: &str, options: &[&str]) {
    lab.rc(["run", "-d", "--name", name]).args(options).args(["payload", "/payload", "tcp", "7"]).run().succeeds();
    lab.ready(name);
}

/// What a container is answered by its first name server.
#[track_caller]
fn look_up(lab: &Lab, asker: &str, kind: &str, name: &str) -> String {
    lab.rc(["exec", asker, "/payload", "look-up", "udp", kind, name]).run().text().trim().to_owned()
}

#[test]
fn a_member_is_found_by_each_of_its_names() {
    let lab = lab(&[]);
    start(&lab, "web", &["--network", "app:alias=www", "--hostname", "front"]);
    start(&lab, "db", &["--network", "app"]);
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text();
    let web = address(&lab, "web", "app");
    for name in ["web", "www", "front", &id[..12], "WEB", "web.app", "www.app", "web.dns.podman", "Front.DNS.podman"] {
        assert_eq!(look_up(&lab, "db", "a", name), web, "{name}");
        assert_eq!(look_up(&lab, "db", "aaaa", name), "empty", "{name}");
    }
    assert_eq!(look_up(&lab, "web", "a", "web"), web);
    let backwards: Vec<_> = web.rsplit('.').collect();
    let names = look_up(&lab, "db", "ptr", &format!("{}.in-addr.arpa", backwards.join(".")));
    assert_eq!(names, format!("web. www. {}. front.", &id[..12]));
    assert_eq!(look_up(&lab, "db", "a", "nobody.dns.podman"), "NXDOMAIN");
    let by_tcp = lab.rc(["exec", "db", "/payload", "look-up", "tcp", "a", "web"]).run().text();
    assert_eq!(by_tcp.trim(), web);

    let text = |path: &str| lab.rc(["exec", "web", "/payload", "read", path]).run().text();
    let resolv_conf = text("/etc/resolv.conf");
    assert!(resolv_conf.starts_with("nameserver 10.89.1.1\n"), "{resolv_conf}");
    assert_eq!(resolv_conf.matches("nameserver").count(), 1, "{resolv_conf}");
    assert!(resolv_conf.contains("ndots:0"), "{resolv_conf}");
    let hosts = text("/etc/hosts");
    assert!(hosts.contains(&format!("\n{web}\tfront web\n")), "{hosts}");
    lab.remove_containers();
}

#[test]
fn an_alias_of_three_has_the_addresses_of_all_who_run() {
    let lab = lab(&[]);
    for name in ["one", "two", "three"] {
        start(&lab, name, &["--network", "app:alias=all"]);
    }
    let sorted = |text: &str| {
        let mut words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        words.sort();
        words
    };
    let addresses = |names: &[&str]| {
        let mut all: Vec<_> = names.iter().map(|name| address(&lab, name, "app")).collect();
        all.sort();
        all
    };
    let first: Vec<_> = (0..6).map(|_| look_up(&lab, "one", "a", "all")).collect();
    assert!(first.iter().all(|answer| sorted(answer) == addresses(&["one", "two", "three"])), "{first:?}");
    assert!(first.iter().any(|answer| *answer != first[0]), "another comes first: {first:?}");
    lab.rc(["kill", "two"]).run().succeeds();
    lab.rc(["wait", "two"]).run().succeeds();
    assert_eq!(sorted(&look_up(&lab, "one", "a", "all")), addresses(&["one", "three"]));
    lab.remove_containers();
}

#[test]
fn a_new_address_is_right_at_once() {
    let lab = lab(&[]);
    start(&lab, "asker", &["--network", "app"]);
    start(&lab, "web", &["--network", "app"]);
    let mut last = address(&lab, "web", "app");
    for _ in 0..5 {
        lab.rc(["stop", "-t", "0", "web"]).run().succeeds();
        assert_eq!(look_up(&lab, "asker", "a", "web.app.dns.podman"), "NXDOMAIN");
        lab.rc(["start", "web"]).run().succeeds();
        let now = address(&lab, "web", "app");
        assert_ne!(now, last, "an address is used again as late as possible");
        assert_eq!(look_up(&lab, "asker", "a", "web"), now);
        last = now;
    }
    lab.remove_containers();
}

#[test]
fn a_container_that_is_renamed_has_its_new_name_at_once_and_no_longer_the_old_one() {
    let lab = lab(&[]);
    start(&lab, "asker", &["--network", "app", "--network", "other"]);
    let options = ["--network", "app:alias=web", "--network", "other", "--restart", "always"];
    start(&lab, "db", &options);
    let now = |name: &str, network: &str| look_up(&lab, "asker", "a", &format!("{name}.{network}"));
    let is_gone = |name: &str| assert_eq!(look_up(&lab, "asker", "a", &format!("{name}.dns.podman")), "NXDOMAIN");
    let names = ["sql", "store", "sql"];
    let mut last = "db";
    for name in names {
        lab.rc(["rename", last, name]).run().succeeds();
        for network in ["app", "other"] {
            assert_eq!(now(name, network), address(&lab, name, network));
        }
        is_gone(last);
        last = name;
    }
    // Its own file has the name that it was started with, until it is started again: as with podman.
    let own_name = || {
        let hosts = lab.rc(["exec", "sql", "/payload", "read", "/etc/hosts"]).run().text();
        let own = format!("{}\t", address(&lab, "sql", "app"));
        let names = hosts.lines().find_map(|line| line.strip_prefix(&own));
        names.and_then(|names| names.split(' ').nth(1)).expect("its host name and its name").to_owned()
    };
    assert_eq!(own_name(), "db");
    // An alias stays, and so does a name that was one's alias all the time.
    assert_eq!(now("web", "app"), address(&lab, "sql", "app"));
    lab.rc(["rename", "sql", "web"]).run().succeeds();
    lab.rc(["rename", "web", "sql"]).run().succeeds();
    assert_eq!(now("web", "app"), address(&lab, "sql", "app"));
    let sql = address(&lab, "sql", "app");
    let backwards: Vec<_> = sql.rsplit('.').collect();
    let names = look_up(&lab, "asker", "ptr", &format!("{}.in-addr.arpa", backwards.join(".")));
    assert!(names.starts_with("sql. web. "), "{names}");
    // What the monitor writes later has the new name, in this run and in the next.
    lab.rc(["network", "disconnect", "other", "sql"]).run().says_nothing();
    assert_eq!(now("sql", "app"), address(&lab, "sql", "app"));
    is_gone("db");
    lab.rc(["network", "connect", "other", "sql"]).run().says_nothing();
    assert_eq!(now("sql", "other"), address(&lab, "sql", "other"));
    is_gone("db");
    kill(lab.rc(["inspect", "--format", "{{.State.Pid}}", "sql"]).run().text().trim().parse().expect("a PID"));
    wait::until("it is restarted", || {
        let count = lab.rc(["inspect", "--format", "{{.RestartCount}} {{.State.Status}}", "sql"]).run().text();
        (count.trim() == "1 running").then_some(())
    });
    assert_eq!(now("sql", "app"), address(&lab, "sql", "app"));
    is_gone("db");
    assert_eq!(own_name(), "sql");
    lab.rc(["restart", "-t", "0", "sql"]).run().succeeds();
    assert_eq!(now("sql", "app"), address(&lab, "sql", "app"));
    is_gone("db");
    lab.remove_containers();
}

#[test]
fn names_are_known_in_shared_networks_alone() {
    let lab = lab(&[]);
    start(&lab, "web", &["--network", "app"]);
    start(&lab, "db", &["--network", "other"]);
    start(&lab, "both", &["--network", "app", "--network", "other"]);
    let [web, db] = [address(&lab, "web", "app"), address(&lab, "db", "other")];
    assert_eq!(look_up(&lab, "both", "a", "web"), web);
    assert_eq!(look_up(&lab, "both", "a", "db"), db);
    assert_eq!(look_up(&lab, "both", "a", "both.other"), address(&lab, "both", "other"));
    assert_eq!(look_up(&lab, "web", "a", "both"), address(&lab, "both", "app"));
    assert_eq!(look_up(&lab, "web", "a", "db.dns.podman"), "NXDOMAIN");
    assert_eq!(look_up(&lab, "db", "a", "web.dns.podman"), "NXDOMAIN");
    lab.remove_containers();
}

#[test]
fn names_outlive_the_keeper_and_the_name_server() {
    let lab = lab(&[]);
    start(&lab, "web", &["--network", "app"]);
    start(&lab, "db", &["--network", "app"]);
    let web = address(&lab, "web", "app");
    for victim in ["rc: dns app", "rc: net app", "rc: dns app", "rc: net app"] {
        let pid = wait::until("there is one", || processes(&lab, victim).first().copied());
        kill(pid);
        wait::until("there is another", || processes(&lab, victim).iter().any(|new| *new != pid).then_some(()));
        // Until the new keeper's sockets are there, the kernel refuses.
        wait::until("it answers", || {
            let answer = lab.rc(["exec", "db", "/payload", "look-up", "udp", "a", "web"]).run().stdout;
            (answer == format!("{web}\n").into_bytes()).then_some(())
        });
    }
    lab.remove_containers();
    lab.settle();
    assert_eq!(processes(&lab, "rc: dns app").len(), 0);
}

#[test]
fn a_member_whose_monitor_is_killed_loses_its_name() {
    let lab = lab(&[]);
    start(&lab, "web", &["--network", "app"]);
    start(&lab, "db", &["--network", "app"]);
    assert_eq!(look_up(&lab, "db", "a", "web"), address(&lab, "web", "app"));
    kill(processes(&lab, "rc: web")[0]);
    wait::until("it is gone", || (look_up(&lab, "db", "a", "web.dns.podman") == "NXDOMAIN").then_some(()));
    lab.remove_containers();
}

#[test]
fn the_name_server_has_no_privilege_left() {
    let lab = lab(&[]);
    start(&lab, "web", &["--network", "app"]);
    let pid = wait::until("there is one", || processes(&lab, "rc: dns app").first().copied());
    let field = |name: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned));
        line.expect("a field")
    };
    wait::until("it is confined", || (field("NoNewPrivs:") == "1").then_some(()));
    for set in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
        assert_eq!(field(set).trim_start_matches('0'), "", "{set}");
    }
    assert_eq!(field("Threads:"), "1");
    lab.remove_containers();
}

#[test]
fn a_member_that_is_a_name_server_is_asked_within_the_network() {
    let lab = lab(&[]);
    // It repeats what it is asked, which is no answer: after the time that servers have, this is a failure. It shows
    // that the query came to it at all.
    lab.rc(["run", "-d", "--name", "server", "--network", "app", "payload", "/payload", "udp", "53"]).run().succeeds();
    lab.ready("server");
    let server = address(&lab, "server", "app");
    start(&lab, "web", &["--network", "app", "--dns", &server]);
    assert_eq!(look_up(&lab, "web", "a", "server"), server);
    assert_eq!(look_up(&lab, "web", "a", "example.com"), "SERVFAIL");
    lab.remove_containers();
}

#[test]
fn n5_nothing_is_answered_from_outside_in_an_internal_network() {
    let lab = lab(&["--internal"]);
    start(&lab, "web", &["--network", "app"]);
    start(&lab, "db", &["--network", "app"]);
    assert_eq!(look_up(&lab, "db", "a", "web"), address(&lab, "web", "app"));
    for name in ["example.com", "nas", "host.containers.internal", "1.2.0.192.in-addr.arpa"] {
        assert_eq!(look_up(&lab, "db", "a", name), "NXDOMAIN", "{name}");
    }
    lab.remove_containers();
}

#[test]
fn nothing_is_lost_and_nothing_wrong_while_containers_come_and_go() {
    let lab = lab(&[]);
    start(&lab, "web", &["--network", "app"]);
    start(&lab, "asker", &["--network", "app"]);
    let web = address(&lab, "web", "app");
    let count = crate::support::chance::count("RC_TEST_QUERIES", 3000).to_string();
    let asking = lab.rc(["exec", "asker", "/payload", "look-ups", &count, "web", &web]).start();
    let mut others = 0;
    while asking.output_text().is_empty() && asking.error_text().is_empty() {
        let run = lab.rc(["run", "--rm", "--network", "app:alias=web2", "payload", "/payload", "exit", "0"]);
        run.run().succeeds();
        others += 1;
    }
    let output = asking.wait().text();
    eprintln!("{output} while {others} others came and went");
    assert!(output.starts_with("lost 0 wrong 0 "), "{output}");
    lab.remove_containers();
}
