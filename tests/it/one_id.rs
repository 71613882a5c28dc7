//! Containers with one ID (`RC_SINGLE_ID=1`, or no range in `/etc/subuid`), and IDs that a container does not have.

use std::fs;

use serde_json::{Value, json};

use crate::support::command::Command;
use crate::support::{Image, Lab, Layer, Output};

const RUN: [&str; 4] = ["run", "--rm", "--network", "none"];

/// The last line of errors about missing IDs.
const HINT: &str =
    "hint: containers have only one ID on this host: `rc info` names the line that an administrator must add\n";

fn rc<'lab>(lab: &'lab Lab, arguments: &[&str]) -> Command<'lab> {
    lab.rc(arguments).env("RC_SINGLE_ID", "1")
}

fn load(lab: &Lab, image: &Image) {
    let archive = lab.work("image.tar");
    fs::write(&archive, image.oci_archive("image:latest")).expect("an archive can be written");
    rc(lab, &["load", "-q", "-i"]).arg(&archive).run().succeeds();
}

fn run(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    rc(lab, &RUN).args(options).args(["image", "/payload"]).args(words).run()
}

/// The user, group and home of the program.
fn who(lab: &Lab, options: &[&str]) -> Value {
    let report = run(lab, options, &["report"]).json();
    json!([report["uids"], report["gids"], report["env"]["HOME"]])
}

fn ids(user: u32, group: u32, home: &str) -> Value {
    json!([[user, user, user, user], [group, group, group, group], home])
}

#[test]
fn the_image_s_user_is_looked_up_in_its_own_files() {
    let lab = Lab::new();
    // The upper layer replaces `/etc` by a link to its own files.
    let moved = Layer::new()
        .whiteout("etc")
        .directory("usr", 0o755)
        .directory("usr/etc", 0o755)
        .file("usr/etc/passwd", 0o644, b"app:x:4711:4712::/srv/app:/payload\nroot:x:0:0::/root:/payload\n")
        .file("usr/etc/group", 0o644, b"app:x:4712:\nweb:x:33:app\n")
        .symlink("etc", "/usr/etc");
    load(&lab, &Image::payload().layer(moved.bytes()).config(json!({ "User": "app" })));
    assert_eq!(who(&lab, &[]), ids(4711, 4712, "/srv/app"));
    assert_eq!(who(&lab, &["-u", "app:web"]), ids(4711, 33, "/srv/app"));
    // A number has the group of its line, as with a range of IDs.
    assert_eq!(who(&lab, &["-u", "4711"]), ids(4711, 4712, "/srv/app"));
    assert_eq!(who(&lab, &["-u", "4711:5"]), ids(4711, 5, "/srv/app"));
    assert_eq!(who(&lab, &["-u", "1"]), ids(1, 0, "/"));
    assert_eq!(who(&lab, &["-u", "root"]), ids(0, 0, "/root"));
    let unknown = "rc: cannot start `box`: user `user` not found in the container's `/etc/passwd`\n\
                   hint: give the user and group by number: `--user UID:GID`\n";
    let output = run(&lab, &["--name", "box", "-u", "user"], &["exit", "0"]).exits(125);
    assert!(unknown.ends_with(output.stderr().trim_start_matches("rc: ")), "{output}");
}

#[test]
fn a_user_that_was_added_in_the_container_is_found_when_it_starts_again() {
    let lab = Lab::new();
    load(&lab, &Image::payload().config(json!({ "User": "user" })));
    let create = ["run", "-d", "--network", "none", "--name", "box", "image", "/payload", "sleep"];
    rc(&lab, &create).run().succeeds();
    let exec = rc(&lab, &["exec", "box", "/payload", "report"]).run().json();
    assert_eq!(exec["uids"], json!([1000, 1000, 1000, 1000]));
    rc(&lab, &["exec", "box", "/payload", "write", "/etc/passwd", "user:x:77:78::/:/payload"]).run().succeeds();
    rc(&lab, &["stop", "box"]).run().succeeds();
    rc(&lab, &["start", "box"]).run().succeeds();
    let exec = rc(&lab, &["exec", "box", "/payload", "report"]).run().json();
    assert_eq!((&exec["uids"][0], &exec["gids"][0]), (&json!(77), &json!(78)));
    lab.remove_containers();
}

#[test]
fn hostile_files_block_nobody_and_lead_nowhere() {
    let lab = Lab::new();
    let outside = lab.work("passwd");
    fs::write(&outside, "user:x:5:5::/:/payload\n").expect("a file can be written");
    let target = outside.to_str().expect("text");
    let layers = [
        Layer::new().whiteout("etc/passwd").entry("etc/passwd", 0o644, tar::EntryType::Fifo, None, &[]),
        Layer::new().whiteout("etc/passwd").symlink("etc/passwd", target),
        Layer::new().whiteout("etc").symlink("etc", &format!("../../../../../..{}", lab.work("").display())),
    ];
    for layer in layers {
        load(&lab, &Image::payload().layer(layer.bytes()).config(json!({ "User": "user" })));
        let output = run(&lab, &[], &["exit", "0"]).exits(125).within(crate::support::wait::PATIENCE);
        assert!(output.stderr().contains("/etc/passwd`"), "{output}");
    }
}

#[test]
fn unmapped_users_and_groups_are_named_with_a_hint() {
    let lab = Lab::new();
    load(&lab, &Image::payload());
    let output = run(&lab, &["--group-add", "extra"], &["exit", "0"]).exits(125);
    assert!(
        output.stderr().ends_with(&format!("group `extra` cannot be added: only one group ID is mapped\n{HINT}")),
        "{output}"
    );
    rc(&lab, &["run", "-d", "--network", "none", "--name", "box", "image", "/payload", "sleep"]).run().succeeds();
    let output = rc(&lab, &["exec", "-u", "user", "box", "/payload", "exit", "0"]).run().exits(125);
    let said = "user 1000 does not exist in the container: its user IDs are 0\n";
    assert!(output.stderr().ends_with(&format!("{said}{HINT}")), "{output}");
    lab.remove_containers();
}

#[test]
fn ids_beyond_the_range_are_named_with_a_hint() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    for (option, value, what) in
        [("--user", "70000", "user"), ("--user", "0:70000", "group"), ("--group-add", "70000", "group")]
    {
        let output = lab.rc(RUN).args([option, value, "payload", "/payload", "exit", "0"]).run().exits(125);
        let said = format!(
            "{what} 70000 does not exist in the container: its {what} IDs are 0 to 65536\n\
             hint: give yourself a range of more than 70000 IDs in `/etc/subuid` and `/etc/subgid`\n"
        );
        assert!(output.stderr().ends_with(&said), "{output}");
    }
}
