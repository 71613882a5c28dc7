//! X13: a program never gets the keyring of its caller, even if no key is left.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;

use serde_json::Value;

use super::{DEFAULT_CAPS, RUN, calls};
use crate::support::{Lab, image, wait};

/// All tests share the quota of a user's keys, so tests that create keys, or leave none, take turns.
static KEYS: Mutex<()> = Mutex::new(());

#[test]
fn x13_keyrings_are_closed() {
    let _alone = KEYS.lock();
    let lab = Lab::with_payload();
    assert_eq!(
        calls(&lab, &[], &["keyctl", "add_key", "request_key"]),
        "keyctl EPERM\nadd_key EPERM\nrequest_key EPERM"
    );
    // Without the filter: each program has a session keyring of its own, not the caller's.
    let ask = |arguments: &[&str]| {
        let caller = lab.program(Lab::payload_path(), ["keyring"]).arg(Lab::rc_path()).args(arguments).run().text();
        let numbers: Vec<String> = caller.lines().map(str::to_owned).collect();
        assert_eq!(numbers.len(), 2, "{caller}");
        numbers
    };
    let open = ["--network", "none", "--security-opt", "seccomp=unconfined"];
    let run = [&["run", "--rm"][..], &open, &["payload", "/payload", "keyring"]].concat();
    let first = ask(&run);
    lab.rc(["run", "-d", "--name", "box"]).args(open).args(["payload", "/payload", "sleep"]).run().succeeds();
    let exec = ask(&["exec", "box", "/payload", "keyring"]);
    assert_ne!(first[0], first[1]);
    assert_ne!(exec[0], exec[1]);
    lab.remove_containers();
}

/// A program without a key once silently stayed in the caller's keyring.
#[test]
fn x13_without_a_key_left_a_program_still_has_a_keyring_of_its_own() {
    // Root may have a million, and with one ID no other user can own a keyring.
    only!(Full);
    let _alone = KEYS.lock();
    let lab = Lab::with_payload();
    let run = "--network none --security-opt seccomp=unconfined";
    let script = format!(
        "set -e\n\"$RC\" run --rm {run} payload /payload keyring\n\"$RC\" run --rm {run} payload /payload keyring\n\
         \"$RC\" run -d --name box {run} payload /payload sleep >/dev/null\n\
         \"$RC\" exec box /payload keyring\n\"$RC\" exec box /payload report >\"$REPORT\"\n"
    );
    let file = lab.work("report");
    let keys = lab.program(Lab::payload_path(), ["keys", "/bin/sh", "-c", &script]);
    let text = keys.env("RC", Lab::rc_path()).env("REPORT", &file).run().text();
    lab.remove_containers();
    no_key_is_left_in_use();
    let numbers: BTreeSet<&str> = text.lines().collect();
    assert_eq!((text.lines().count(), numbers.len()), (4, 4), "{text}");
    let report: Value = serde_json::from_slice(&fs::read(&file).expect("a report")).expect("a report");
    assert_eq!((&report["uids"], &report["caps"]["eff"]), (&serde_json::json!([0, 0, 0, 0]), &DEFAULT_CAPS.into()));
}

/// A user of the user's namespace has one ID, and a quota of keys that no other test uses: the kernel frees keys with a
/// delay, and a key of an earlier program could become free while this test relies on none.
#[test]
fn x13_with_one_id_a_start_without_a_key_left_is_refused() {
    only!(Full);
    require!(program "setpriv");
    let lab = Lab::new();
    let files = lab.work("files.tar");
    fs::write(&files, image::payload_layer()).expect("an archive can be written");
    let inner = "
        \"$RC\" import -q \"$FILES\" payload >/dev/null
        \"$PAYLOAD\" keys \"$RC\" run --rm --network none payload /payload echo without >/dev/null
        echo $?; \"$RC\" ps -aq";
    let outer = "
        set -e; mkdir -m 700 \"$INNER\" \"$INNER/run\"; chown -R 4321:4321 \"$INNER\"; cd /
        HOME=\"$INNER\" XDG_DATA_HOME=\"$INNER\" XDG_CONFIG_HOME=\"$INNER\" XDG_RUNTIME_DIR=\"$INNER/run\" \
            setpriv --reuid=4321 --regid=4321 --clear-groups sh -c \"$SCRIPT\"
        rm -rf \"$INNER\"";
    let run = lab.rc(["unshare", "/bin/sh", "-c", outer]).env("SCRIPT", inner).env("INNER", lab.work("inner"));
    let run = run.env("RC", Lab::rc_path()).env("PAYLOAD", Lab::payload_path()).env("FILES", &files).run();
    assert_eq!(run.stdout(), "125\n", "{run}");
    let said = "rc: cannot create a session keyring: the user has as many keys as allowed (";
    assert!(run.stderr().starts_with(said) && run.stderr().contains("kernel.keys.maxkeys="), "{run}");
}

/// docker's filter returns EPERM, podman's ENOSYS.
#[test]
fn x13_without_keyrings_under_a_filter_containers_run() {
    let lab = Lab::with_payload();
    // Under the filter newuidmap cannot work: this container keeps the user's namespace.
    lab.rc(["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"]).run().succeeds();
    for errno in [libc::EPERM, libc::ENOSYS] {
        let word = errno.to_string();
        let filtered = |arguments: &[&str]| {
            let rc = lab.program(Lab::payload_path(), ["filtered", word.as_str()]).arg(Lab::rc_path());
            rc.args(arguments).run()
        };
        let open = ["--security-opt", "seccomp=unconfined", "payload", "/payload", "call", "keyctl", "getpid"];
        let name = if errno == libc::EPERM { "EPERM" } else { "ENOSYS" };
        filtered(&[&RUN[..], &open].concat()).prints(format!("keyctl {name}\ngetpid ok\n"));
        let all: Value = serde_json::from_str(&filtered(&["doctor", "--json"]).stdout()).expect("findings");
        let line = all.as_array().and_then(|all| all.iter().find(|one| one["check"] == "keyrings")).expect("a line");
        assert_eq!(line["status"], "limited", "{line}");
    }
    lab.remove_containers();
}

/// Waits until the kernel has freed the quota of this user's keys. Source: proc_key_users(5).
fn no_key_is_left_in_use() {
    let this = format!("{}:", rustix::process::getuid().as_raw());
    wait::until("the keys to be given back", || {
        let users = fs::read_to_string("/proc/key-users").expect("the kernel counts keys");
        // A user without any key has no line.
        let line = users.lines().find_map(|line| line.trim_start().strip_prefix(&this)).unwrap_or(" 0 0/0 0/0 0/0");
        let used = line.split_whitespace().nth(2)?.split_once('/')?.0;
        used.parse::<u32>().is_ok_and(|used| used < 100).then_some(())
    });
}
