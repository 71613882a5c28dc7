//! Names are checked by a table; the resulting capabilities are read from the kernel, in a user namespace of their own.

use std::process::{Command, Stdio};

use super::*;

#[test]
fn names_are_those_of_the_manual() {
    let set = CapSet::from_names(["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"]).unwrap();
    assert_eq!(set.bits(), 1 | 1 << 21 | 1 << 40);
    assert_eq!(format!("{set:?}"), "{CAP_CHOWN, CAP_SYS_ADMIN, CAP_CHECKPOINT_RESTORE}");
    assert!(set.has_any(1 << 21) && !set.has_any(1 << 20));
    assert_eq!(CapSet::from_names([]).unwrap(), CapSet::EMPTY);
    for bad in ["CHOWN", "cap_chown", "CAP_SYS_ADMINN", "", "CAP_\u{1b}[2J"] {
        let error = CapSet::from_names(["CAP_CHOWN", bad]).unwrap_err();
        assert_eq!(error.to_string(), format!("no such capability `{}`", bad.escape_debug()));
    }
}

#[test]
fn specification_knows_the_same_names() {
    use oci_spec::runtime::Capability::{AuditWrite, CheckpointRestore, DacOverride, Fsetid, Syslog};
    let spec = HashSet::from([AuditWrite, CheckpointRestore, DacOverride, Fsetid, Syslog]);
    assert_eq!(CapSet::from_spec(&spec).unwrap().bits(), 1 << 29 | 1 << 40 | 1 << 1 | 1 << 4 | 1 << 34);
}

/// Not a test: the next test runs it in a process of its own.
#[test]
#[ignore = "changes this process; started by the tests of this module"]
fn child() {
    let keep = CapSet::from_names(["CAP_CHOWN", "CAP_KILL", "CAP_SYS_CHROOT"]).unwrap();
    limit(keep).unwrap();
    become_user(&Identity { uid: 0, gid: 0, groups: None }, keep).unwrap();
    let status = Command::new("/bin/grep").args(["Cap", "/proc/self/status"]).status().unwrap();
    assert!(status.success());
    let error = become_user(&Identity { uid: 0, gid: 0, groups: Some(vec![0]) }, keep).unwrap_err();
    assert_eq!(error.to_string(), "cannot set the supplementary groups: operation not permitted");
    let error = become_user(&Identity { uid: 5, gid: 0, groups: None }, keep).unwrap_err();
    assert_eq!(error.to_string(), "cannot become user 5: invalid argument");
}

#[test]
fn root_keeps_what_it_is_given_and_inherits_nothing() {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user"]).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "runtime::caps::tests::child", "--nocapture"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let sets: Vec<&str> = text.lines().filter(|line| line.starts_with("Cap")).collect();
    let kept = "0000000000040021";
    let expected =
        [("Inh", "0000000000000000"), ("Prm", kept), ("Eff", kept), ("Bnd", kept), ("Amb", "0000000000000000")];
    let expected: Vec<String> = expected.map(|(name, bits)| format!("Cap{name}:\t{bits}")).to_vec();
    assert_eq!(sets, expected, "{text}");
    assert!(output.status.success(), "{text}");
}
