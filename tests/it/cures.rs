//! The commands that rc prints as a fix, pasted as an administrator would.

use std::fs;

use serde_json::Value;

use crate::support::Lab;

/// What `rc doctor` proposes to the user of this number about subordinate IDs, on a host with this `/etc`.
fn proposed(lab: &Lab, etc: &str, user: u32) -> String {
    finding(lab, etc, user, "subordinate ids")["fix"].as_str().expect("a fix").to_owned()
}

/// What `rc doctor` finds for the user of this number on a host with this `/etc`.
fn finding(lab: &Lab, etc: &str, user: u32, check: &str) -> Value {
    let script = format!(
        "mount --bind {etc} /etc && exec unshare -U --map-user={user} --map-group={user} {} doctor --json",
        Lab::rc_path().display()
    );
    let said = lab.program("unshare", ["-Urm", "sh", "-c", &script]).run();
    let all: Value = serde_json::from_str(&said.stdout()).unwrap_or_else(|error| panic!("{error}: {}", said.stderr()));
    let list = all.as_array().expect("an array");
    list.iter().find(|one| one["check"] == check).expect("the finding").clone()
}

/// Pastes it as root of that host.
fn paste(lab: &Lab, etc: &str, fix: &str) {
    let command = fix.trim_matches('`');
    let script = format!("mount --bind {etc} /etc && sudo() {{ \"$@\"; }} && {command}");
    let pasted = lab.program("unshare", ["-Urm", "sh", "-c", &script]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    drop(pasted.run().exits(0));
}

#[test]
fn users_who_paste_what_doctor_prints_share_no_ids() {
    require!(program "usermod");
    let lab = Lab::new();
    let etc = lab.work("etc");
    fs::create_dir_all(&etc).expect("a directory");
    let passwd = "root:x:0:0::/root:/bin/sh\nann:x:4001:4001::/:/bin/sh\nbob:x:4002:4002::/:/bin/sh\n";
    fs::write(etc.join("passwd"), passwd).expect("passwd");
    fs::write(etc.join("group"), "root:x:0:\nann:x:4001:\nbob:x:4002:\n").expect("group");
    let etc_path = etc.to_str().expect("a path in UTF-8");
    // Neither file exists for ann; 4003 is in no password database.
    for (user, range) in [(4001, "ann:100000:65536"), (4002, "bob:165536:65536"), (4003, "4003:231072:65536")] {
        paste(&lab, etc_path, &proposed(&lab, etc_path, user));
        for file in ["subuid", "subgid"] {
            let text = fs::read_to_string(etc.join(file)).expect("the file");
            assert_eq!(text.lines().last(), Some(range), "{file}: {text}");
        }
    }
    // Nothing is proposed where an owner cannot be known.
    fs::write(etc.join("subuid"), "ann:100000:65536\nbob 165536 65536\n").expect("subuid");
    fs::write(etc.join("subgid"), "ann:100000:65536\n").expect("subgid");
    assert_eq!(
        proposed(&lab, etc_path, 4002),
        "rc proposes no range, because line 2 of /etc/subuid is not NAME:FIRST:COUNT: fix that line first"
    );
}

#[test]
fn users_who_share_ids_are_named() {
    let lab = Lab::new();
    let etc = lab.work("etc");
    fs::create_dir_all(&etc).expect("a directory");
    fs::write(etc.join("passwd"), "ann:x:4001:4001::/:/bin/sh\nbob:x:4002:4002::/:/bin/sh\n").expect("passwd");
    fs::write(etc.join("subgid"), "ann:100000:65536\nbob:165536:65536\n").expect("subgid");
    let etc_path = etc.to_str().expect("a path in UTF-8");
    for (bob, status, found) in [
        ("165536", "ok", "every user has IDs of their own"),
        ("150000", "limited", "ann and bob share 150000-165535 in /etc/subuid"),
    ] {
        fs::write(etc.join("subuid"), format!("ann:100000:65536\nbob:{bob}:65536\n")).expect("subuid");
        let shared = finding(&lab, etc_path, 4003, "shared ids");
        assert_eq!((shared["status"].as_str(), shared["found"].as_str()), (Some(status), Some(found)), "{shared}");
    }
}

#[test]
fn the_command_that_installs_a_package_is_the_distribution_s() {
    let lab = Lab::new();
    let etc = lab.work("etc");
    fs::create_dir_all(&etc).expect("a directory");
    let ranges = "4001:100000:65536\n";
    fs::write(etc.join("subuid"), ranges).expect("subuid");
    fs::write(etc.join("subgid"), ranges).expect("subgid");
    fs::write(etc.join("os-release"), "ID=rocky\nID_LIKE=\"rhel centos fedora\"\n").expect("os-release");
    let settings = lab.root().join("config/rc");
    fs::create_dir_all(&settings).expect("a directory");
    fs::write(settings.join("rc.toml"), "[helpers]\nslirp4netns = \"/nowhere/slirp4netns\"\n").expect("rc.toml");
    let missing = finding(&lab, etc.to_str().expect("a path in UTF-8"), 4001, "slirp4netns");
    let fix = missing["fix"].as_str().expect("a fix");
    assert_eq!(fix, "`sudo dnf install slirp4netns`, or set its path in `rc.toml`");
}
