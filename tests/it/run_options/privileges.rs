//! What the kernel is told about the program, and what it gets of the host.

use serde_json::json;

use super::{inspect, refused, report, run};
use crate::support::Lab;

#[test]
fn parameters_of_the_container_s_namespaces_are_set() {
    let lab = Lab::with_payload();
    let read = |name: &str, options: &[&str]| run(&lab, options, &["read", &format!("/proc/sys/{name}")]);
    read("net/ipv4/ip_unprivileged_port_start", &["--sysctl", "net.ipv4.ip_unprivileged_port_start=80"]).prints("80\n");
    for (parameter, reason) in [
        ("vm.swappiness=1", "it belongs to the host"),
        ("net.ipv4.no_such=1", "no_such"),
        ("net/ipv4/ip_forward=1", "must have a name of words with dots"),
    ] {
        refused(run(&lab, &["--sysctl", parameter], &["report"]), reason);
    }
    let host = lab.rc(["run", "--rm", "--network", "host", "--sysctl", "net.ipv4.ip_forward=1", "payload", "/payload"]);
    refused(host.run(), "the host's network");
}

#[test]
fn umask_score_and_annotations_are_the_program_s() {
    let lab = Lab::with_payload();
    let usual = report(&lab, &[]);
    assert_eq!(usual["umask"], "0022");
    let asked = report(&lab, &["--umask", "077", "--oom-score-adj", "777"]);
    assert_eq!((&asked["umask"], &asked["oom_score_adj"]), (&json!("0077"), &json!("777")));
    let line = [
        "run",
        "-d",
        "--network",
        "none",
        "--umask",
        "027",
        "--oom-score-adj=500",
        "--annotation",
        "a=b=c",
        "--name",
        "box",
    ];
    lab.rc(line).args(["payload", "/payload", "sleep"]).run().succeeds();
    let joined = lab.rc(["exec", "box", "/payload", "report"]).run().json();
    assert_eq!((&joined["umask"], &joined["oom_score_adj"]), (&json!("0027"), &json!("500")));
    let object = inspect(&lab, "box");
    assert_eq!(
        (&object["Config"]["Umask"], &object["Config"]["Annotations"]),
        (&json!("0027"), &json!({ "a": "b=c" }))
    );
    lab.rc(["rm", "-f", "-t", "0", "box"]).run().succeeds();
    for (option, value, reason) in [
        ("--umask", "8", "must be an octal number"),
        ("--oom-score-adj", "1001", "must be from -1000 to 1000"),
        ("--annotation", "a", "must be NAME=VALUE"),
    ] {
        refused(run(&lab, &[option, value], &["report"]), reason);
    }
}

#[test]
fn a_score_below_the_caller_s_is_refused() {
    let lab = Lab::with_payload();
    refused(run(&lab, &["--oom-score-adj", "-1000"], &["report"]), "must be at least that of the caller");
}

#[test]
fn a_device_of_the_host_can_be_used_if_the_user_may_open_it() {
    let lab = Lab::with_payload();
    run(&lab, &["--device", "/dev/null:/dev/nothing:rwm"], &["write", "/dev/nothing", "x"]).says_nothing();
    run(&lab, &["--device", "/dev/zero:/opt/zero"], &["list", "/opt"]).prints("zero\n");
    lab.rc(["create", "--name", "box", "--device", "/dev/zero:/dev/z", "payload", "/payload"]).run().succeeds();
    let expected = json!([{ "PathOnHost": "/dev/zero", "PathInContainer": "/dev/z", "CgroupPermissions": "rwm" }]);
    assert_eq!(inspect(&lab, "box")["HostConfig"]["Devices"], expected);
    lab.remove_containers();
    for (device, reason) in [
        ("/dev/missing", "no such file or directory"),
        ("/etc/passwd", "it is no device"),
        ("/dev/null:r", "only root can limit"),
        ("vendor.com/class=all", "no file in /etc/cdi"),
    ] {
        refused(run(&lab, &["--device", device], &["report"]), reason);
    }
}

#[test]
fn a_privileged_program_may_do_what_its_user_may() {
    let lab = Lab::with_payload();
    let usual = report(&lab, &[]);
    let report = report(&lab, &["--privileged"]);
    assert_ne!(report["caps"]["eff"], usual["caps"]["eff"]);
    assert_eq!(report["seccomp"], "0");
    run(&lab, &["--privileged"], &["write", "/proc/sys/net/ipv4/ip_forward", "1"]).says_nothing();
    assert!(run(&lab, &["--privileged"], &["read", "/proc/interrupts"]).text().contains("CPU0"));
    let limit = "/proc/sys/user/max_user_namespaces";
    run(&lab, &[], &["read", limit]).prints("0\n");
    assert_ne!(run(&lab, &["--privileged"], &["read", limit]).text(), "0");
    // What was asked for by itself stays.
    let still = super::report(&lab, &["--privileged", "--security-opt", "seccomp=default", "--cap-drop", "chown"]);
    assert_eq!(still["seccomp"], "2");
    assert_ne!(still["caps"]["eff"], report["caps"]["eff"]);
    lab.rc(["create", "--name", "box", "--privileged", "payload", "/payload"]).run().succeeds();
    assert_eq!(inspect(&lab, "box")["HostConfig"]["Privileged"], true);
    lab.remove_containers();
}

#[test]
fn names_and_shared_memory_are_the_container_s_or_the_host_s() {
    let lab = Lab::with_payload();
    let own = |kind: &str| json!(std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_string_lossy());
    let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let usual = report(&lab, &["--ipc", "shareable", "--uts", "private"]);
    assert!(usual["namespaces"]["ipc"] != own("ipc") && usual["namespaces"]["uts"] != own("uts"), "{usual}");
    let shared = report(&lab, &["--uts", "host", "--ipc", "host"]);
    assert_eq!((&shared["namespaces"]["ipc"], &shared["namespaces"]["uts"]), (&own("ipc"), &own("uts")));
    assert_eq!(shared["hostname"], host_name.trim());
    assert_eq!(shared["env"]["HOSTNAME"], host_name.trim());
    // A further program gets there, too.
    let line = ["run", "-d", "--network", "none", "--uts", "host", "--ipc", "host", "--name", "box", "payload"];
    lab.rc(line).args(["/payload", "sleep"]).run().succeeds();
    let joined = lab.rc(["exec", "box", "/payload", "report"]).run().json();
    assert_eq!((&joined["namespaces"]["ipc"], &joined["namespaces"]["uts"]), (&own("ipc"), &own("uts")));
    let host = inspect(&lab, "box")["HostConfig"].take();
    assert_eq!((&host["IpcMode"], &host["UTSMode"]), (&json!("host"), &json!("host")));
    lab.rc(["rm", "-f", "-t", "0", "box"]).run().succeeds();
    let shm = |options: &[&str]| {
        let report = report(&lab, options);
        report["mounts"].as_array().expect("mounts").iter().any(|mount| mount["path"] == "/dev/shm")
    };
    assert!(shm(&[]) && !shm(&["--ipc", "none"]));
    refused(run(&lab, &["--uts", "host", "-h", "x"], &["report"]), "cannot be used together");
    refused(run(&lab, &["--ipc", "container:x"], &["report"]), "no such container");
}
