//! `rc doctor`: its output, and that a start reports the same.

use std::fs;

use serde_json::Value;

use crate::support::{Lab, Output};

/// The finding of one check.
#[track_caller]
fn finding<'a>(all: &'a Value, check: &str) -> &'a Value {
    let list = all.as_array().expect("an array");
    list.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("no line `{check}` in {all:#}"))
}

/// The findings, after a check of the exit code.
#[track_caller]
fn examined(output: Output, code: i32) -> Value {
    let text = output.exits(code).stdout();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn settings(lab: &Lab, text: &str) {
    let directory = lab.root().join("config/rc");
    fs::create_dir_all(&directory).expect("a directory for rc.toml");
    fs::write(directory.join("rc.toml"), text).expect("rc.toml can be written");
}

#[test]
fn a_host_that_runs_containers_passes() {
    let lab = Lab::with_payload();
    lab.rc(["run", "--rm", "payload", "/payload", "exit", "0"]).run().succeeds();
    let all = examined(lab.rc(["doctor", "--json"]).run(), 0);
    for check in
        ["kernel", "user namespaces", "store", "memory files", "seccomp", "keyrings", "slirp4netns", "/dev/net/tun"]
    {
        let one = finding(&all, check);
        assert_eq!(
            (&one["status"], &one["disables"], &one["fix"]),
            (&"ok".into(), &Value::Null, &Value::Null),
            "{one}"
        );
    }
    for check in ["subordinate ids", "newuidmap", "newgidmap", "overlay", "fuse-overlayfs", "pasta", "/dev/fuse"] {
        assert_ne!(finding(&all, check)["status"], "missing");
    }
    for check in [
        "extended attributes",
        "low ports",
        "runtime directory",
        "service manager",
        "user bus",
        "lingering",
        "controller memory",
    ] {
        assert_ne!(finding(&all, check)["status"], "missing");
    }
    for one in all.as_array().expect("an array") {
        assert_eq!(one["status"] == "ok", one["disables"].is_null(), "{one}");
    }
}

#[test]
fn the_table_and_the_json_agree() {
    let lab = Lab::new();
    let all = examined(lab.rc(["doctor", "--json"]).run(), 0);
    let text = lab.rc(["doctor"]).run().exits(0).stdout();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    let list = all.as_array().expect("an array");
    assert_eq!(lines.len(), list.len(), "{text}");
    for (line, one) in lines.iter().zip(list) {
        let (check, status) = (one["check"].as_str().expect("text"), one["status"].as_str().expect("text"));
        assert!(line.starts_with(check) && line[check.len()..].trim_start().starts_with(status), "{line}: {one}");
    }
    for one in list {
        for (word, key) in [("disables", "disables"), ("fix", "fix")] {
            if let Some(said) = one[key].as_str() {
                assert!(text.contains(&format!("    {word}: {said}\n")), "{said}: {text}");
            }
        }
    }
}

#[test]
fn a_hidden_helper_is_missing_for_doctor_and_run() {
    let lab = Lab::with_payload();
    settings(&lab, "[helpers]\nslirp4netns = \"/nowhere/slirp4netns\"\n");
    let all = examined(lab.rc(["doctor", "--json"]).run(), 1);
    let slirp = finding(&all, "slirp4netns");
    assert_eq!(slirp["status"], "missing");
    assert_eq!(slirp["disables"], "containers without `--network`, and published ports");
    let refused = lab.rc(["run", "--rm", "payload", "/payload", "exit", "0"]).run().exits(125).stderr();
    for said in [&slirp["found"], &slirp["fix"]] {
        let said = said.as_str().expect("text");
        assert!(refused.contains(said), "`{said}` is not in: {refused}");
    }
    // With another network, no container needs it.
    settings(&lab, "[helpers]\nslirp4netns = \"/nowhere/slirp4netns\"\n[network]\ndriver = \"none\"\n");
    let all = examined(lab.rc(["doctor", "--json"]).run(), 0);
    let slirp = finding(&all, "slirp4netns");
    assert_eq!((&slirp["status"], &slirp["disables"]), (&"limited".into(), &"`--network slirp4netns`".into()));
    lab.rc(["run", "--rm", "payload", "/payload", "exit", "0"]).run().succeeds();
}

#[test]
fn a_configured_storage_driver_that_does_not_exist_is_missing() {
    let lab = Lab::new();
    settings(&lab, "[helpers]\nfuse_overlayfs = \"/nowhere/fuse-overlayfs\"\n[storage]\ndriver = \"fuse-overlayfs\"\n");
    let all = examined(lab.rc(["doctor", "--json"]).run(), 1);
    let fuse = finding(&all, "fuse-overlayfs");
    assert_eq!((&fuse["status"], &fuse["disables"]), (&"missing".into(), &"every container".into()));
    settings(&lab, "[helpers]\nfuse_overlayfs = \"/nowhere/fuse-overlayfs\"\n");
    let all = examined(lab.rc(["doctor", "--json"]).run(), 0);
    assert_eq!(finding(&all, "fuse-overlayfs")["status"], "limited");
    assert_eq!(finding(&all, "overlay")["status"], "ok");
}

#[test]
fn disabled_user_namespaces_are_reported_with_their_sysctl() {
    let lab = Lab::new();
    let script = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"";
    let words = ["-Ur", "sh", "-c", script, "sh"];
    let output = lab.program("unshare", words).arg(Lab::rc_path()).args(["doctor", "--json"]).run();
    let all = examined(output, 1);
    let one = finding(&all, "user namespaces");
    assert_eq!(one["status"], "missing");
    assert_eq!(one["found"], "cannot create a user namespace: no space left on device");
    assert_eq!(one["fix"], "user namespaces are disabled: `sudo sysctl user.max_user_namespaces=15000`");
    assert_eq!(finding(&all, "overlay")["status"], "missing");
}

#[test]
fn a_store_that_cannot_be_written_is_missing() {
    let lab = Lab::with_payload();
    // Of a later format.
    fs::write(lab.store().join("version"), "99\n").expect("the version can be written");
    let all = examined(lab.rc(["doctor", "--json"]).run(), 1);
    let store = finding(&all, "store");
    assert_eq!(store["status"], "missing");
    assert!(store["found"].as_str().expect("text").contains("has format 99"), "{store}");
    fs::write(lab.store().join("version"), "1\n").expect("the version can be written");
    // On a read-only filesystem.
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    let output = lab
        .program("unshare", ["-Urm", "sh", "-c", script])
        .arg(lab.store())
        .arg(Lab::rc_path())
        .args(["doctor", "--json"])
        .run();
    let all = examined(output, 1);
    let store = finding(&all, "store");
    assert_eq!(store["status"], "missing");
    assert!(store["found"].as_str().expect("text").contains("read-only file system"), "{store}");
}
