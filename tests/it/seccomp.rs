//! Filters for system calls that the user names (`--security-opt seccomp=FILE`).

use std::fs;

use serde_json::json;

use crate::support::Lab;

/// A profile that forbids a few calls and allows all others.
fn profile() -> String {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        "syscalls": [
            { "names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5 },
            { "names": ["socket"], "action": "SCMP_ACT_ERRNO" },
            {
                "names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28,
                "args": [{ "index": 1, "value": 0x5412, "op": "SCMP_CMP_EQ" }],
            },
            {
                "names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2,
                "includes": { "caps": ["CAP_SYS_PTRACE"] },
            },
            {
                "names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "errnoRet": 3,
                "excludes": { "caps": ["CAP_SYS_PTRACE"] },
            },
        ],
    })
    .to_string()
}

const CALLS: [&str; 7] = ["/payload", "call", "personality", "socket,2,1", "ioctl,0,0x5412", "ioctl,0,0x5413", "kcmp"];

const ENDED: &str = "personality EIO\nsocket EPERM\nioctl ENOSPC\nioctl ENOTTY\nkcmp ESRCH";

#[test]
fn a_profile_decides_about_the_calls_of_all_programs_of_a_container() {
    let lab = Lab::with_payload();
    fs::write(lab.work("profile.json"), profile()).unwrap();
    let run = ["run", "--rm", "--network", "none", "--security-opt", "seccomp=profile.json"];
    assert_eq!(lab.rc(run).arg("payload").args(CALLS).run().text(), ENDED);
    let tracer = lab.rc(run).args(["--cap-add", "SYS_PTRACE", "payload", "/payload", "call", "kcmp"]).run().text();
    assert_eq!(tracer, "kcmp ENOENT");

    // The container has what was read, whatever becomes of the file.
    lab.rc(["create", "--name", "web", "--network", "none", "--security-opt=seccomp=./profile.json"])
        .args(["payload", "/payload", "sleep"])
        .run()
        .succeeds();
    fs::remove_file(lab.work("profile.json")).unwrap();
    lab.rc(["start", "web"]).run().succeeds();
    assert_eq!(lab.rc(["exec", "web"]).args(CALLS).run().text(), ENDED);
    lab.remove_containers();
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_profile_leaves_no_door_of_another_architecture_open() {
    let lab = Lab::with_payload();
    fs::write(lab.work("both"), profile()).unwrap();
    fs::write(lab.work("one"), profile().replace("SCMP_ARCH_X86\"", "SCMP_ARCH_S390\"")).unwrap();
    let doors = ["i386:20", "i386:359,2,1", "i386-socket:0,2,1", "x32:getpid"];
    for (file, expected) in [
        ("both", "20 ok\n359 EPERM\n0 EPERM\ngetpid ENOSYS"),
        ("one", "20 ENOSYS\n359 ENOSYS\n0 ENOSYS\ngetpid ENOSYS"),
    ] {
        let found = lab
            .rc(["run", "--rm", "--network", "none", "--security-opt", &format!("seccomp={file}")])
            .args(["payload", "/payload", "call"])
            .args(doors)
            .run()
            .text();
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn what_is_no_profile_is_refused_and_nothing_is_made() {
    let lab = Lab::with_payload();
    let notify = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_NOTIFY"}]}"#;
    for (name, text, part) in [
        ("nowhere", None, "cannot read `nowhere`"),
        ("empty", Some(""), "invalid seccomp profile `empty`"),
        ("other", Some(r#"{"defaultAction":"SCMP_ACT_MAYBE"}"#), "unknown variant"),
        ("notify", Some(notify), "SCMP_ACT_NOTIFY"),
    ] {
        if let Some(text) = text {
            fs::write(lab.work(name), text).unwrap();
        }
        let options = ["create", "--security-opt", &format!("seccomp={name}"), "payload", "/payload"];
        let refused = lab.rc(options).run().exits(125);
        assert!(refused.stderr().contains(part), "{name}: {refused}");
    }
    lab.rc(["ps", "-aq"]).run().says_nothing();
}
