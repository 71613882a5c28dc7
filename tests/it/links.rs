//! `--link`: a name by which one container alone finds another.

use crate::support::{Lab, address};

fn lab() -> Lab {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "app"]).run().succeeds();
    lab
}

#[track_caller]
fn start(lab: &Lab, name: &str, options: &[&str]) {
    lab.rc(["run", "-d", "--name", name]).args(options).args(["payload", "/payload", "tcp", "7"]).run().succeeds();
    lab.ready(name);
}

#[test]
fn a_link_is_a_name_in_the_network_for_one_container_and_follows_the_other_s_address() {
    let lab = lab();
    start(&lab, "db", &["--network", "app"]);
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "db"]).run().text();
    start(&lab, "web", &["--network", "app", "--link", "db:sql", "--link", &id[..12]]);
    start(&lab, "other", &["--network", "app"]);
    let look_up = |asker: &str, name: &str| {
        lab.rc(["exec", asker, "/payload", "look-up", "udp", "a", name]).run().text().trim().to_owned()
    };
    assert_eq!(look_up("web", "sql"), address(&lab, "db", "app"));
    assert_ne!(look_up("other", "sql.app"), address(&lab, "db", "app"));
    let before = address(&lab, "db", "app");
    lab.rc(["restart", "-t", "0", "db"]).run().succeeds();
    lab.ready("db");
    assert_ne!(address(&lab, "db", "app"), before);
    assert_eq!(look_up("web", "sql"), address(&lab, "db", "app"));
    lab.rc(["exec", "web", "/payload", "ask", "tcp", &format!("{}:7", address(&lab, "db", "app")), "hi"])
        .run()
        .prints("hi\n");
    // It leads to the container that has the name now, as docker's in a network.
    lab.rc(["rename", "db", "old"]).run().succeeds();
    assert_eq!(look_up("web", "sql.dns.podman"), "NXDOMAIN");
    lab.rc(["rename", "old", "db"]).run().succeeds();
    assert_eq!(look_up("web", "sql.dns.podman"), address(&lab, "db", "app"));
    // `network connect` gives one as well, and both are shown as docker does it.
    start(&lab, "late", &["--network", "slirp4netns"]);
    let refused = lab.rc(["network", "connect", "--link", "db:x", "--link", "web:x", "app", "late"]).run().exits(125);
    assert!(refused.stderr().contains("`--link`: invalid link `web:x`: `db` has that name already"), "{refused}");
    lab.rc(["network", "connect", "--link", "db:sql", "app", "late"]).run().says_nothing();
    assert_eq!(look_up("late", "sql"), address(&lab, "db", "app"));
    let shown = "{{json .HostConfig.Links}} {{json .NetworkSettings.Networks.app.Links}}";
    let expected = format!("[\"/db:/web/sql\",\"/db:/web/{0}\"] [\"db:sql\",\"db:{0}\"]\n", &id[..12]);
    lab.rc(["inspect", "-f", shown, "web"]).run().prints(expected);
    lab.remove_containers();
}

#[test]
fn without_a_name_server_a_link_is_a_line_of_hosts_and_the_other_must_run() {
    let lab = lab();
    start(&lab, "db", &["--network", "podman"]);
    let options = ["--rm", "--network", "podman", "--link", "db:sql"];
    let hosts = lab.rc(["run"]).args(options).args(["payload", "/payload", "read", "/etc/hosts"]).run().text();
    assert!(hosts.starts_with(&format!("{}\tsql\n", address(&lab, "db", "podman"))), "{hosts}");
    // One that does not run takes its own line away.
    start(&lab, "cache", &["--network", "podman"]);
    start(&lab, "web", &["--network", "podman", "--link", "db:sql", "--link", "cache:fast"]);
    lab.rc(["stop", "-t", "0", "db"]).run().succeeds();
    lab.rc(["network", "connect", "app", "web"]).run().says_nothing();
    let hosts = lab.rc(["exec", "web", "/payload", "read", "/etc/hosts"]).run().text();
    assert!(
        hosts.starts_with(&format!("{}\tfast\n", address(&lab, "cache", "podman"))) && !hosts.contains("sql"),
        "{hosts}"
    );
    for (network, link, expected) in [
        (
            "podman",
            "db:sql",
            "`--link`: container `db` does not run, and the network `podman` has no DNS\nhint: start it",
        ),
        ("app", "db", "`--link`: invalid link `db`: the two containers have no network in common: `rc network create"),
        ("slirp4netns", "db", "no network in common"),
        ("app", "ghost", "`--link`: invalid container `ghost`: no such container"),
    ] {
        let words = ["run", "--rm", "--network", network, "--link", link, "payload", "/payload", "exit", "0"];
        let refused = lab.rc(words).run().exits(125);
        assert!(refused.stderr().contains(expected), "{network} {link}: {refused}");
    }
    lab.remove_containers();
    let leases = std::fs::read_dir(lab.store().join("networks/podman/leases")).expect("leases").count();
    assert_eq!(leases, 0);
}
