//! Options of pods: what members share, where their cgroups are, names of files, and what is refused.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use crate::pods::{inspect, is, lab, namespaces, remove, start, wait_for};
use crate::support::{Lab, Set, wait};

#[test]
fn every_list_of_share_is_what_members_have_in_common() {
    let lab = Lab::with_payload();
    for (list, shared) in [
        ("net", &["net"][..]),
        ("ipc", &["ipc"]),
        ("uts,pid", &["uts", "pid"]),
        ("cgroup", &["cgroup"]),
        ("+cgroup,pid", &["ipc", "net", "uts", "cgroup", "pid"]),
        ("none", &[]),
    ] {
        lab.rc(["pod", "create", "--name", "p", "--share", list]).run().succeeds();
        let own = if shared.contains(&"net") { &[][..] } else { &["--network", "none"] };
        start(&lab, "one", own, &["sleep"]);
        start(&lab, "two", own, &["sleep"]);
        let [one, two] = ["one", "two"].map(|name| namespaces(&lab, name));
        let same = |kind: &&str| one[*kind] == two[*kind];
        let found: BTreeSet<&str> = ["net", "ipc", "uts", "pid", "cgroup", "mnt"].into_iter().filter(same).collect();
        assert_eq!(found, shared.iter().copied().collect(), "{list}");
        assert_eq!(one["user"] == two["user"], !shared.is_empty(), "{list}");
        let told = inspect(&lab);
        let named: BTreeSet<&str> =
            told["SharedNamespaces"].as_array().into_iter().flatten().filter_map(|word| word.as_str()).collect();
        assert_eq!((named, &told["CreateInfra"]), (found, &json!(!shared.is_empty())), "{list}");
        remove(&lab);
    }
}

#[test]
fn the_cgroups_of_members_are_in_that_of_the_pod_unless_its_parent_is_not_shared() {
    let lab = Lab::with_payload();
    for (option, is_inside) in [("--share-parent", true), ("--share-parent=false", false)] {
        let id = lab.rc(["pod", "create", "--name", "p", "--network", "none", option]).run().text();
        start(&lab, "one", &[], &["sleep"]);
        start(&lab, "two", &[], &["sleep"]);
        assert_eq!(namespaces(&lab, "one")["net"], namespaces(&lab, "two")["net"]);
        let path = lab.rc(["inspect", "--format", "{{.State.CgroupPath}}", "one"]).run().text();
        if path.trim().is_empty() {
            assert_ne!(Set::current(), Set::Root, "root can make cgroups");
        } else {
            assert_eq!(path.contains(&format!("rc-pod-{}", id.trim())), is_inside, "{path}");
        }
        remove(&lab);
    }
}

#[test]
fn without_name_servers_a_member_has_what_its_image_has() {
    let lab = Lab::with_payload();
    let read = |options: &[&str]| {
        let line = ["run", "--rm", "--pod", "p"];
        lab.rc(line).args(options).args(["payload", "/payload", "read", "/etc/resolv.conf"]).run()
    };
    lab.rc(["pod", "create", "--name", "p", "--network", "none", "--dns", "none"]).run().succeeds();
    assert_eq!(inspect(&lab)["InfraConfig"]["NoManageResolvConf"], true);
    read(&[]).prints("");
    remove(&lab);
    lab.rc(["pod", "create", "--name", "p", "--network", "none", "--dns", "10.1.2.3"]).run().succeeds();
    assert!(read(&[]).text().contains("nameserver 10.1.2.3"));
    let refused = read(&["--dns", "none"]).exits(125).stderr();
    assert!(refused.contains("`--dns`: name servers must be specified on the pod"), "{refused}");
    // In a network of its own it may have its own.
    read(&["--network", "none", "--dns", "none"]).prints("");
    remove(&lab);
}

#[test]
fn with_the_policy_stop_a_member_that_is_restarted_has_not_ended() {
    let (lab, _) = lab(&["--network", "none", "--exit-policy", "stop", "--restart", "on-failure:2"]);
    start(&lab, "one", &[], &["exit", "3"]);
    wait_for(&lab, "Exited");
    lab.rc(["inspect", "--format", "{{.RestartCount}} {{.State.ExitCode}}", "one"]).run().prints("2 3\n");
    lab.rc(["pod", "ps", "--format", "{{.Restarts}}"]).run().prints("2\n");
    start(&lab, "two", &["--restart", "always"], &["sleep"]);
    let pid = |name: &str| lab.rc(["inspect", "--format", "{{.State.Pid}}", name]).run().text();
    let first = pid("two");
    crate::support::processes::kill(first.trim().parse().expect("a PID"));
    wait::until("it runs again", || {
        let state = lab.rc(["inspect", "--format", "{{.State.Status}} {{.RestartCount}}", "two"]).run().text();
        (state == "running 1").then_some(())
    });
    is(&lab, "Degraded", 2);
    lab.rc(["stop", "-t", "0", "two"]).run().succeeds();
    wait_for(&lab, "Exited");
    remove(&lab);
}

#[test]
fn several_files_with_ids_are_several_pods_and_go_with_them() {
    let lab = Lab::with_payload();
    let files = ["a", "b"].map(|name| lab.work(name));
    let ids = ["p", "q"].map(|name| {
        let file = lab.work(if name == "p" { "a" } else { "b" });
        let line = ["pod", "create", "--network", "none", "--name", name, "--pod-id-file"];
        lab.rc(line).arg(file).run().text().trim().to_owned()
    });
    let with_both = |words: &[&str]| {
        let command = lab.rc(words).arg("--pod-id-file").arg(&files[0]);
        command.arg("--pod-id-file").arg(&files[1])
    };
    with_both(&["pod", "start"]).run().prints("p\nq\n");
    // A container is in one pod: the last one counts, as in podman.
    with_both(&["create", "--name", "one"]).args(["payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(["ps", "-a", "--format", "{{.PodName}}"]).run().prints("q\n");
    with_both(&["pod", "stop", "-t", "0"]).run().prints("p\nq\n");
    with_both(&["pod", "rm"]).run().prints(format!("{}\n{}\n", ids[0], ids[1]));
    assert!(files.iter().all(|file| !file.exists()));
    with_both(&["pod", "rm", "--ignore"]).run().says_nothing();
    lab.settle();
}

#[test]
fn a_container_that_is_refused_leaves_no_new_pod() {
    let lab = Lab::with_payload();
    for (options, program, reason) in [
        (&["--memory", "much"][..], "/payload", "`--memory`"),
        (&["--cap-add", "NO_SUCH"], "/payload", "`--cap-add`"),
        (&["-v", "/no/such/directory:/d"], "/payload", "no/such/directory"),
        (&["--network", "ghost"], "/payload", "there is no network `ghost`"),
        (&["-p", "1:2:3:4"], "/payload", "1:2:3:4"),
        (&["--user", "nobody-here"], "/payload", "nobody-here"),
        (&["--name", "not/a/name"], "/payload", "not/a/name"),
        (&["--rm"], "/no-such-program", "/no-such-program"),
    ] {
        let network = if options[0] == "--network" { &[][..] } else { &["--network", "none"] };
        let refused = lab.rc(["run", "--pod", "new:q"]).args(network).args(options).args(["payload", program]).run();
        assert!(refused.stderr().contains(reason) && refused.exit != crate::support::Exit::Code(0), "{refused}");
        lab.rc(["pod", "ps", "-q"]).run().prints("");
    }
    // The failure that counts is the container's, also if the pod cannot be removed: nothing can be moved into a file.
    let trash = lab.store().join("trash");
    let aside = lab.work("trash");
    fs::rename(&trash, &aside).expect("moved");
    fs::write(&trash, "").expect("written");
    let line = ["run", "--pod", "new:q", "--network", "none", "--memory", "much", "payload", "/payload"];
    let refused = lab.rc(line).run().exits(125).stderr();
    fs::remove_file(&trash).expect("removed");
    fs::rename(&aside, &trash).expect("moved back");
    assert!(refused.contains("`--memory`: ") && refused.contains(" stays: "), "{refused}");
    lab.rc(["pod", "rm", "q"]).run().succeeds();
    lab.settle();
}

#[test]
fn options_that_cannot_be_together_and_those_that_members_have_from_the_pod() {
    let lab = Lab::with_payload();
    for (options, reason) in [
        (&["-p", "80:80", "--network", "none"][..], "`--publish` and `--network none` cannot be used together"),
        (&["-p", "80:80", "--network", "host"], "`--publish` and `--network host` cannot be used together"),
        (&["--replace"], "cannot replace pod without --name being set"),
        (&["--replace", "--name", ""], "cannot replace pod without --name being set"),
        (&["--infra=false", "--dns", "10.1.2.3"], "`--dns` and `--infra=false` cannot be used together"),
        (&["--infra=false", "--no-hosts"], "`--no-hosts` and `--infra=false` cannot be used together"),
        (&["--share", "none", "--ip", "10.1.2.3"], "`--ip` and `--infra=false` cannot be used together"),
        (&["--uts", "host", "--hostname", "h"], "`--hostname` and `--uts host` cannot be used together"),
    ] {
        let refused = lab.rc(["pod", "create"]).args(options).run().exits(125).stderr();
        assert!(refused.contains(reason), "{refused}");
    }
    let refused = lab.rc(["pod", "ps", "-q", "--format", "{{.Name}}"]).run().exits(125).stderr();
    assert!(refused.contains("`--format`") && refused.contains("`--quiet`"), "{refused}");
    lab.rc(["pod", "ps", "-q"]).run().prints("");
    // Its name is no host name then.
    lab.rc(["pod", "create", "--network", "none", "--uts", "host", "p"]).run().succeeds();
    start(&lab, "one", &[], &["sleep"]);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    lab.rc(["exec", "one", "/payload", "read", "/proc/sys/kernel/hostname"]).run().prints(&host);
    remove(&lab);
    // As in podman, programs of members are the user's then.
    lab.rc(["pod", "create", "--network", "none", "--userns", "keep-id", "p"]).run().succeeds();
    let ids = |options: &[&str]| {
        let line = ["run", "--rm", "--pod", "p"];
        let status = lab.rc(line).args(options).args(["payload", "/payload", "read", "/proc/self/status"]).run().text();
        status.lines().find_map(|line| line.strip_prefix("Uid:\t")?.split('\t').next().map(str::to_owned))
    };
    let own = rustix::process::getuid().as_raw().to_string();
    assert_eq!(ids(&[]), Some(own.clone()));
    let line = ["run", "--rm", "--pod", "p", "payload", "/payload", "read", "/etc/passwd"];
    assert!(lab.rc(line).run().text().contains(&format!(":{own}:")), "the user has a line");
    if Set::current() == Set::Full {
        assert_eq!(ids(&["--user", "0"]).as_deref(), Some("0"));
    }
    assert_eq!(inspect(&lab)["InfraConfig"]["userns"], "private");
    remove(&lab);
}

#[test]
fn a_member_that_cannot_start_is_named_and_stops_no_other() {
    let (lab, _) = lab(&["--network", "none"]);
    for name in ["bad", "worse"] {
        lab.rc(["create", "--pod", "p", "--name", name, "payload", "/no-such-program"]).run().succeeds();
    }
    lab.rc(["create", "--pod", "p", "--name", "one", "payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(["pod", "create", "--network", "none", "q"]).run().succeeds();
    let started = lab.rc(["pod", "start", "p", "q"]).run();
    for name in ["bad", "worse"] {
        let said = format!("rc: cannot start container `{name}`: cannot run `/no-such-program`");
        assert!(started.stderr().contains(&said), "{started}");
    }
    assert_eq!(started.exits(125).stdout(), "q\n");
    assert_eq!(inspect(&lab)["State"], "Degraded");
    remove(&lab);
}
