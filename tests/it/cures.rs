//! The commands that rc prints as a fix, pasted as an administrator would.

use std::fs;

use serde_json::Value;

use crate::support::Lab;

/// What `rc doctor` proposes to the user of this number about subordinate IDs, on a host with this `/etc`.
fn proposed(lab: &Lab, etc: &str, user: u32) -> String {
    let script = format!(
        "mount --bind {etc} /etc && exec unshare -U --map-user={user} --map-group={user} {} doctor --json",
        Lab::rc_path().display()
    );
    let said = lab.program("unshare", ["-Urm", "sh", "-c", &script]).run();
    let all: Value = serde_json::from_str(&said.stdout()).unwrap_or_else(|error| panic!("{error}: {}", said.stderr()));
    let list = all.as_array().expect("an array");
    let finding = list.iter().find(|one| one["check"] == "subordinate ids").expect("the finding");
    finding["fix"].as_str().expect("a fix").to_owned()
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
