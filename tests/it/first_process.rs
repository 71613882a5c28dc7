//! What process 1 of a container is and sees: `--init-path`, `--systemd`, `--personality`, `--chrootdirs`.

use std::fs;

use serde_json::json;

use crate::support::{Lab, run};

#[test]
fn a_program_of_the_host_is_process_1_and_gets_the_command() {
    let lab = Lab::with_payload();
    // It plays `echo -- /payload …`.
    let script = lab.work("init");
    fs::copy(Lab::payload_path(), &script).expect("the payload");
    let path = script.display().to_string();
    let output = run(&lab, &["--init", "--init-path", &path], &["echo", "hi"]).exits(99);
    assert!(output.stderr().contains("no such part"), "it is the payload, whose first word is `--`: {output}");
    let output = run(&lab, &["--init-path", &path], &["exit", "0"]).exits(125);
    assert!(output.stderr().contains("needs `--init`"), "{output}");
    let output = run(&lab, &["--init", "--init-path", "/nowhere/init"], &["exit", "0"]).exits(125);
    assert!(output.stderr().contains("/nowhere/init"), "{output}");
}

#[test]
fn systemd_gets_what_it_needs_and_other_programs_do_not() {
    let lab = Lab::with_payload();
    let create = ["create", "--name", "c", "--network", "none", "--systemd", "always", "payload", "/payload", "report"];
    lab.rc(create).run().succeeds();
    let object = lab.rc(["inspect", "c"]).run().json()[0].clone();
    assert_eq!(object["Config"]["SystemdMode"], json!(true));
    assert_eq!(object["Config"]["StopSignal"], json!("SIGRTMIN+3"));
    let id = object["Id"].as_str().expect("an ID").to_owned();
    let env = object["Config"]["Env"].as_array().expect("variables").clone();
    assert!(env.contains(&json!(format!("container_uuid={}", &id[..32]))), "{env:?}");
    let mounts = run(&lab, &["--systemd=always"], &["read", "/proc/self/mounts"]).text();
    for place in ["/run", "/run/lock", "/tmp", "/var/log/journal"] {
        assert!(mounts.contains(&format!(" {place} tmpfs rw,nosuid,nodev")), "{place}: {mounts}");
    }
    let cgroup =
        |text: &str| text.lines().find(|line| line.contains(" /sys/fs/cgroup ")).unwrap_or_default().to_owned();
    assert!(cgroup(&mounts).contains(" rw,"), "{mounts}");
    let usual = run(&lab, &[], &["read", "/proc/self/mounts"]).text();
    assert!(cgroup(&usual).contains(" ro,") && !usual.contains("/var/log/journal"), "{usual}");
    let object = lab.rc(["create", "--network", "none", "payload", "/sbin/init"]).run().text();
    let shown = lab.rc(["inspect", "--format", "{{.Config.SystemdMode}} {{.Config.StopSignal}}", object.trim()]);
    shown.run().prints("true SIGRTMIN+3\n");
    lab.remove_containers();
    assert!(run(&lab, &["--systemd", "maybe"], &["exit", "0"]).exits(125).stderr().contains("true, false or always"));
}

#[test]
fn programs_see_the_kernel_of_another_machine() {
    let lab = Lab::with_payload();
    // Source: proc_pid_personality(5); 8 is PER_LINUX32.
    const SHOWN: &str = "/proc/self/personality";
    for (options, expected) in [
        (&[][..], "00000000\n"),
        (&["--personality", "LINUX"], "00000000\n"),
        (&["--personality", "LINUX32"], "00000008\n"),
    ] {
        run(&lab, options, &["read", SHOWN]).prints(expected);
    }
    let words = ["run", "-d", "--name", "c", "--network", "none", "--personality=linux32", "payload", "/payload"];
    lab.rc(words).arg("hang").run().succeeds();
    lab.rc(["exec", "c", "/payload", "read", SHOWN]).run().prints("00000008\n");
    lab.rc(["rm", "-f", "-t", "0", "c"]).run().succeeds();
    assert!(run(&lab, &["--personality", "BSD"], &["exit", "0"]).exits(125).stderr().contains("LINUX or LINUX32"));
}

#[test]
fn a_directory_with_a_root_of_its_own_has_the_files_of_rc() {
    let lab = Lab::with_payload();
    let options = ["--chrootdirs", "/srv/root,/other", "--hostname", "box"];
    for place in ["/srv/root/etc/hostname", "/other/etc/hostname", "/etc/hostname"] {
        run(&lab, &options, &["read", place]).prints("box\n");
    }
    assert!(run(&lab, &options, &["read", "/other/etc/hosts"]).text().contains("box"));
    assert!(run(&lab, &["--chrootdirs", "x"], &["exit", "0"]).exits(125).stderr().contains("must be an absolute path"));
    // The image has none, so it is empty beneath rc's mount point.
    run(&lab, &["--no-hostname"], &["read", "/etc/hostname"]).prints("");
}
