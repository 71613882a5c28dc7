//! Namespaces that a container shares with the host, with another container, or with what is at a path; and containers
//! that need others.

use serde_json::{Value, json};

use crate::support::{Lab, Output};

fn start(lab: &Lab, name: &str, options: &[&str]) {
    let line = ["run", "-d", "--network", "none", "--name", name];
    lab.rc(line).args(options).args(["payload", "/payload", "sleep"]).run().succeeds();
}

fn run(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.rc(["run", "--rm"]).args(options).args(["payload", "/payload"]).args(words).run()
}

fn namespaces(lab: &Lab, name: &str) -> Value {
    lab.rc(["exec", name, "/payload", "report"]).run().json()["namespaces"].take()
}

fn own(kind: &str) -> Value {
    json!(std::fs::read_link(format!("/proc/self/ns/{kind}")).expect("a namespace").to_string_lossy())
}

#[test]
fn a_container_shares_the_namespaces_of_another() {
    let lab = Lab::with_payload();
    start(&lab, "web", &[]);
    let of_web = namespaces(&lab, "web");
    let all = ["--pid", "container:web", "--ipc", "container:web", "--uts", "container:web"];
    let all = [&all[..], &["--network", "container:web", "--cgroupns", "container:web"]].concat();
    let report = run(&lab, &all, &["report"]).json();
    for kind in ["user", "pid", "ipc", "uts", "net", "cgroup"] {
        assert_eq!(report["namespaces"][kind], of_web[kind], "{kind}");
    }
    assert_ne!(report["namespaces"]["mnt"], of_web["mnt"]);
    // One by one, with the user namespace.
    for (option, kind) in [("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"), ("--network", "net")] {
        let mut options = vec![option, "container:web"];
        if option != "--network" {
            options.extend(["--network", "none"]);
        }
        let report = run(&lab, &options, &["report"]).json();
        for other in ["pid", "ipc", "uts", "net"] {
            assert_eq!(report["namespaces"][other] == of_web[other], other == kind, "{option}: {other}");
        }
        assert_eq!(report["namespaces"]["user"], of_web["user"], "{option}");
    }
    // Further programs get there, too; the processes of one are those of both.
    lab.rc(["run", "-d", "--name", "side"]).args(&all).args(["payload", "/payload", "sleep"]).run().succeeds();
    assert_eq!(namespaces(&lab, "side")["pid"], of_web["pid"]);
    // The third is the program that looks.
    let seen = |name: &str| lab.rc(["exec", name, "/payload", "processes"]).run().text().lines().count();
    assert_eq!(seen("side"), 3);
    // Each has its own in `top`.
    assert_eq!(lab.rc(["top", "side", "args"]).run().text().matches("sleep").count(), 1);
    lab.rc(["rm", "-f", "-t", "0", "side"]).run().succeeds();
    assert_eq!(seen("web"), 2);
    lab.remove_containers();
}

#[test]
fn what_shares_a_network_shares_its_names_and_ports() {
    let lab = Lab::with_payload();
    start(&lab, "web", &["--add-host", "db:10.1.2.3"]);
    let shared = ["--network", "container:web"];
    lab.rc(["run", "-d", "--name", "side"]).args(shared).args(["payload", "/payload", "tcp", "80"]).run().succeeds();
    crate::support::wait::until("the server answers", || {
        let asked = lab.rc(["exec", "web", "/payload", "ask", "tcp", "127.0.0.1:80", "hello"]).run();
        (asked.exit == crate::support::Exit::Code(0)).then_some(())
    });
    assert!(run(&lab, &shared, &["read", "/etc/hosts"]).text().contains("10.1.2.3\tdb"));
    let inspected = lab.rc(["inspect", "side"]).run().json()[0].take();
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text();
    assert_eq!(inspected["HostConfig"]["NetworkMode"], json!(format!("container:{id}")));
    assert_eq!(inspected["Dependencies"], json!([id]));
    for (options, reason) in [
        (&["--network", "container:gone"][..], "no such container"),
        (&["--network", "container:web", "-p", "80"], "`--publish` and `--network container`"),
        (&["--network", "container:web", "-P"], "`--publish-all` and `--network container`"),
        (&["--network", "container:web", "--sysctl", "net.ipv4.ip_forward=1"], "the network of another"),
        (&["--pid", "container:web", "--userns", "keep-id", "--network", "none"], "cannot be used together"),
    ] {
        let refused = run(&lab, options, &["exit", "0"]).exits(125);
        assert!(refused.stderr().contains(reason), "{refused}");
    }
    lab.remove_containers();
}

#[test]
fn shared_memory_is_that_of_the_other_container() {
    let lab = Lab::with_payload();
    start(&lab, "web", &[]);
    lab.rc(["exec", "web", "/payload", "write", "/dev/shm/note", "hello"]).run().succeeds();
    run(&lab, &["--network", "none", "--ipc", "container:web"], &["read", "/dev/shm/note"]).prints("hello\n");
    run(&lab, &["--network", "none"], &["list", "/dev/shm"]).prints("");
    lab.remove_containers();
}

#[test]
fn processes_of_the_host_are_seen_and_those_of_the_container_end_with_it() {
    let lab = Lab::with_payload();
    start(&lab, "box", &["--pid", "host"]);
    let seen = namespaces(&lab, "box");
    assert_eq!(seen["pid"], own("pid"));
    let me = std::process::id().to_string();
    let listed = lab.rc(["exec", "box", "/payload", "list", "/proc"]).run().text();
    assert!(listed.lines().any(|line| line == me), "{listed}");
    assert_eq!(lab.rc(["top", "box", "args"]).run().text().lines().count(), 2);
    assert_eq!(lab.rc(["inspect", "--format", "{{.HostConfig.PidMode}}", "box"]).run().text(), "host");
    // The kernel does not end what was executed there, so the monitor does.
    let inside = lab.rc(["exec", "box", "/payload", "hang"]).start();
    inside.line("ready\n");
    lab.rc(["stop", "-t", "0", "box"]).run().succeeds();
    inside.wait().is(137, "ready\n", "");
    lab.rc(["start", "box"]).run().succeeds();
    lab.remove_containers();
}

#[test]
fn a_namespace_may_be_named_by_a_path() {
    let lab = Lab::with_payload();
    start(&lab, "web", &[]);
    let pid = lab.rc(["inspect", "--format", "{{.State.Pid}}", "web"]).run().text();
    let of_web = namespaces(&lab, "web");
    let path = |kind: &str| format!("ns:/proc/{pid}/ns/{kind}");
    let options = ["--network", &path("net"), "--uts", &path("uts"), "--ipc", &path("ipc")];
    let report = run(&lab, &options, &["report"]).json();
    for kind in ["net", "uts", "ipc"] {
        assert_eq!(report["namespaces"][kind], of_web[kind], "{kind}");
    }
    assert_ne!(report["namespaces"]["user"], of_web["user"]);
    lab.rc(["run", "-d", "--name", "side"]).args(options).args(["payload", "/payload", "sleep"]).run().succeeds();
    assert_eq!(namespaces(&lab, "side")["net"], of_web["net"]);
    for (value, reason) in [
        (path("uts"), "is not a network namespace"),
        ("ns:/nowhere".to_owned(), "no such file or directory"),
        ("ns:/proc/1/ns/net".to_owned(), "cannot"),
    ] {
        let refused = run(&lab, &["--network", &value], &["exit", "0"]).exits(125);
        assert!(refused.stderr().contains(reason), "{refused}");
    }
    lab.remove_containers();
}

#[test]
fn what_a_container_needs_is_started_first_and_not_removed_alone() {
    let lab = Lab::with_payload();
    let create = |name: &str, options: &[&str]| {
        lab.rc(["create", "--name", name]).args(options).args(["payload", "/payload", "sleep"]).run().succeeds();
    };
    create("base", &["--network", "none"]);
    create("middle", &["--network", "none", "--requires", "base"]);
    create("top", &["--network", "container:middle"]);
    lab.rc(["start", "top"]).run().succeeds();
    let running = lab.rc(["ps", "--format", "{{.Names}}"]).run().text();
    for name in ["base", "middle", "top"] {
        assert!(running.contains(name), "{running}");
    }
    lab.rc(["stop", "-t", "0", "base", "middle", "top"]).run().succeeds();
    lab.rc(["rm", "base"]).run().fails(
        125,
        "rc: cannot remove `base`: other containers need it: top, middle\n\
         hint: remove them as well with `rc rm --depend base`\n",
    );
    lab.rc(["rm", "top"]).run().succeeds();
    lab.rc(["rm", "--depend", "base"]).run().succeeds();
    lab.rc(["ps", "-aq"]).run().prints("");
    create("base", &["--network", "none"]);
    create("top", &["--network", "container:base"]);
    lab.rc(["rm", "-f", "base"]).run().succeeds();
    let refused = lab.rc(["start", "top"]).run().exits(125);
    assert!(refused.stderr().contains("needs container"), "{refused}");
    lab.remove_containers();
}
