//! Ways out of a container that must fail: the cases X1–X16 of safety.md, each test named by its number.

mod joining;
mod keyrings;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::{Exit, Image, Lab, Layer, Output, image};

/// The arguments before the image's name, for a container without a network.
const RUN: [&str; 4] = ["run", "--rm", "--network", "none"];

/// The default capabilities: bits 0, 1, 3 to 8, 10, 18 and 31.
const DEFAULT_CAPS: &str = "00000000800405fb";
const NO_CAPS: &str = "0000000000000000";

/// Makes calls in a container (`payload call`) and returns its output, one line per call.
fn calls(lab: &Lab, options: &[&str], calls: &[&str]) -> String {
    lab.rc(RUN).args(options).args(["payload", "/payload", "call"]).args(calls).run().text()
}

fn report(lab: &Lab, options: &[&str]) -> Value {
    lab.rc(RUN).args(options).args(["payload", "/payload", "report"]).run().json()
}

/// Loads an image under the name `hostile`.
fn load(lab: &Lab, image: &Image) {
    let archive = lab.work("hostile.tar");
    fs::write(&archive, image.oci_archive("hostile:latest")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
}

fn file_names(lab: &Lab, options: &[&str], directory: &str) -> Vec<String> {
    let text = lab.rc(RUN).args(options).args(["payload", "/payload", "list", directory]).run().text();
    text.lines().map(str::to_owned).collect()
}

/// Asserts that rc refused, in one line that contains `part`.
#[track_caller]
fn refused(output: Output, code: i32, part: &str) {
    let output = output.exits(code);
    let first = output.stderr().lines().next().unwrap_or_default().to_owned();
    assert!(first.contains(part) && !first.contains('\u{1b}'), "{output}expected one line with `{part}`");
    assert_eq!(output.stdout(), "");
}

#[test]
fn x1_the_program_of_rc_cannot_be_reached_from_a_container() {
    let lab = Lab::new();
    let before = image::digest(&fs::read(Lab::rc_path()).expect("rc can be read"));
    load(&lab, &Image::payload().layer(Layer::new().file("entry", 0o755, b"#!/proc/self/exe\n").bytes()));
    for program in ["/entry", "/proc/self/exe"] {
        for init in [&[][..], &["--init"]] {
            let output = lab.rc(RUN).args(init).args(["hostile", program]).run().exits(127);
            assert_eq!(output.stdout(), "", "{output}");
        }
    }
    // An init that stays is the stub in its sealed file.
    let init = lab.rc(RUN).args(["--init", "hostile", "/payload", "write", "/proc/1/exe", "x"]).run().exits(99);
    assert!(init.stderr().contains("Text file busy") || init.stderr().contains("Permission denied"), "{init}");
    let own = lab.rc(RUN).args(["hostile", "/payload", "write", "/proc/self/exe", "x"]).run().exits(99);
    assert!(own.stderr().contains("Text file busy"), "{own}");
    let after = image::digest(&fs::read(Lab::rc_path()).expect("rc can be read"));
    assert_eq!(before, after);
}

#[test]
fn x2_no_descriptor_of_the_host_is_inherited() {
    let lab = Lab::with_payload();
    let standard = ["0", "1", "2"];
    let names = |report: &Value| -> Vec<String> { report["fds"].as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&report(&lab, &[])), standard);
    assert_eq!(names(&report(&lab, &["--init"])), standard);
    assert_eq!(file_names(&lab, &["--init"], "/proc/1/fd"), standard);
    // A caller with open directories of the host.
    let script = lab.script("leaky", "#!/bin/bash\nexec 7</ 8</etc 33</proc; exec \"$@\"\n");
    let leaky = lab.program(script, [Lab::rc_path()]).args(RUN).args(["payload", "/payload", "report"]);
    assert_eq!(names(&leaky.run().json()), standard);

    lab.rc(["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"]).run().succeeds();
    assert_eq!(names(&lab.rc(["exec", "box", "/payload", "report"]).run().json()), standard);
    lab.remove_containers();
}

#[test]
fn x2_files_and_directories_of_the_caller_stay_outside() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--name", "box", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    let played = |command: &[&str], redirections: &str, words: &[&str]| {
        fs::write(lab.work("input"), "what was put in\n").expect("a file can be written");
        fs::write(lab.work("output"), "what was there\n").expect("a file can be written");
        let script = format!("exec \"$@\" {redirections}");
        let shell = lab.program("/bin/sh", ["-c", script.as_str(), "sh"]).arg(Lab::rc_path());
        let ended = shell.args(command).arg("/payload").args(words).run();
        let read = |name| fs::read_to_string(lab.work(name)).expect("a file can be read");
        (ended, read("input"), read("output"))
    };
    for command in [
        &["run", "--rm", "-i", "--network", "none", "payload"][..],
        &["run", "-i", "--network", "none", "payload"],
        &["run", "-i", "--log-driver=passthrough", "--network", "none", "payload"],
        &["exec", "-i", "box"],
    ] {
        // If reopened, each would be the file itself; both are pipes of the program's own.
        let (_, input, _) = played(command, "<input", &["write", "/proc/self/fd/0", "changed"]);
        assert_eq!(input, "what was put in\n", "{command:?}");
        let (ended, _, output) = played(command, ">>output", &["write", "/proc/self/fd/1", "more"]);
        assert_eq!((ended.exit, output.as_str()), (Exit::Code(0), "what was there\nmore\n"), "{command:?}");
        // A directory leads to all of the host; there is nothing to read from it.
        let (ended, ..) = played(command, "</", &["list", "/proc/self/fd/0"]);
        assert_eq!((ended.stdout().as_str(), &ended.exit), ("", &Exit::Code(99)), "{command:?}");
        let (ended, ..) = played(command, "</", &["cat"]);
        assert_eq!((ended.stdout().as_str(), &ended.exit), ("", &Exit::Code(0)), "{command:?}");
        // Data still goes both ways.
        let (_, _, output) = played(command, "<input >output", &["cat"]);
        assert_eq!(output, "what was put in\n", "{command:?}");
    }
    let detached = ["run", "-d", "--log-driver=passthrough", "--network", "none", "payload"];
    let (ended, ..) = played(&detached, "</", &["cat"]);
    refused(ended, 125, "directory");
    lab.remove_containers();
}

#[test]
fn x3_paths_with_facts_about_the_host_are_masked() {
    let lab = Lab::with_payload();
    for path in ["/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/timer_list", "/proc/config.gz"] {
        if fs::metadata(path).is_ok() {
            lab.play(["read", path]).prints("");
        }
    }
    for path in ["/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/kernel/debug", "/sys/module", "/sys/fs/bpf"] {
        if fs::metadata(path).is_ok() {
            assert_eq!(file_names(&lab, &[], path), Vec::<String>::new(), "{path}");
        }
    }
    let written =
        ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/overcommit_memory", "/proc/keys"];
    for path in written.into_iter().filter(|path| fs::metadata(path).is_ok()) {
        let output = lab.play(["write", path, "1"]).exits(99);
        let said = output.stderr();
        assert!(said.contains("Read-only file system") || said.contains("Permission denied"), "{path}: {output}");
    }
}

#[test]
fn x3_what_a_program_writes_where_a_path_is_masked_stays_in_its_container() {
    let lab = Lab::with_payload();
    let run =
        ["run", "-d", "--network", "none", "--name", "box", "--cap-add", "SYS_ADMIN", "payload", "/payload", "sleep"];
    lab.rc(run).run().succeeds();
    let inside = |words: &[&str]| lab.rc(["exec", "box", "/payload"]).args(words).run();
    let masked = [("/proc/keys", "/proc/keys"), ("/sys/firmware", "/sys/firmware/leak")];
    for (path, written) in masked.into_iter().filter(|(path, _)| fs::metadata(path).is_ok()) {
        inside(&["unlock", path]).succeeds();
        inside(&["write", written, "leaked"]).succeeds();
        inside(&["read", written]).prints("leaked\n");
    }
    for (path, _) in masked.into_iter().filter(|(path, _)| fs::metadata(path).is_ok()) {
        match path {
            "/proc/keys" => lab.play(["read", path]).prints(""),
            _ => assert_eq!(file_names(&lab, &[], path), Vec::<String>::new()),
        }
    }
    lab.remove_containers();
}

#[test]
fn x4_links_in_the_place_of_directories_do_not_lead_outside() {
    let lab = Lab::new();
    let canary = lab.work("canary");
    fs::create_dir(&canary).expect("a directory can be made");
    fs::write(canary.join("file"), "untouched").expect("a file can be written");
    let target = canary.to_str().expect("the lab's paths are text");
    for path in ["dev", "etc", "run", "tmp", "dev/pts", "etc/hosts", "etc/resolv.conf", "run/.containerenv"] {
        let program = fs::read(Lab::payload_path()).expect("the payload can be read");
        let mut layer = Layer::new().file("payload", 0o755, &program);
        if let Some((directory, _)) = path.split_once('/') {
            layer = layer.directory(directory, 0o755);
        }
        load(&lab, &Image::new().layer(layer.symlink(path, target).bytes()));
        let output = lab.rc(RUN).args(["--tmpfs", "/tmp", "hostile", "/payload", "echo", "in"]).run();
        // Beneath the root, or refused; never "not found".
        if output.stdout() == "in\n" {
            output.succeeds();
        } else {
            refused(output, 125, "cannot");
        }
        let names: BTreeSet<_> = fs::read_dir(&canary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, BTreeSet::from(["file".into()]), "{path}");
        assert_eq!(fs::read_to_string(canary.join("file")).unwrap(), "untouched", "{path}");
        lab.rc(["rmi", "-f", "hostile"]).run().succeeds();
    }
}

#[test]
fn x5_proc_and_sys_must_be_directories() {
    let lab = Lab::new();
    for path in ["proc", "sys"] {
        let link = Layer::new().directory("elsewhere", 0o755).symlink(path, "/elsewhere").bytes();
        let file = Layer::new().file(path, 0o644, b"a file").bytes();
        for layer in [link, file] {
            load(&lab, &Image::payload().layer(layer));
            refused(lab.rc(RUN).args(["hostile", "/payload", "exit", "0"]).run(), 125, &format!("/{path}"));
            lab.rc(["rmi", "-f", "hostile"]).run().succeeds();
        }
    }
}

#[test]
fn x7_cgroups_are_read_only_and_the_container_s_own() {
    let lab = Lab::with_payload();
    let report = report(&lab, &[]);
    for mount in report["mounts"].as_array().unwrap() {
        assert_ne!(mount["type"], "cgroup", "{mount}");
        if mount["type"] == "cgroup2" {
            assert!(mount["options"].as_str().unwrap().split(',').any(|option| option == "ro"), "{mount}");
        }
    }
    let groups: Vec<&str> = report["cgroup"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(groups.iter().all(|line| line.ends_with(":/")), "{groups:?}");
}

#[test]
fn x8_capabilities_are_bounded_and_never_inherited() {
    let lab = Lab::with_payload();
    let caps = |report: &Value| {
        ["inh", "prm", "eff", "bnd", "amb"].map(|set| report["caps"][set].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(caps(&report(&lab, &[])), [NO_CAPS, DEFAULT_CAPS, DEFAULT_CAPS, DEFAULT_CAPS, NO_CAPS]);
    let added = "00000000802405fb";
    assert_eq!(caps(&report(&lab, &["--cap-add", "SYS_ADMIN"])), [NO_CAPS, added, added, added, NO_CAPS]);
    assert_eq!(caps(&report(&lab, &["--cap-drop", "all"])), [NO_CAPS; 5]);
    lab.rc(["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"]).run().succeeds();
    let exec = lab.rc(["exec", "box", "/payload", "report"]).run().json();
    assert_eq!(caps(&exec), [NO_CAPS, DEFAULT_CAPS, DEFAULT_CAPS, DEFAULT_CAPS, NO_CAPS]);
    lab.remove_containers();
    let unknown = lab.rc(RUN).args(["--cap-add", "SYS_ADMINN", "payload", "/payload", "exit", "0"]).run();
    refused(unknown, 125, "SYS_ADMINN");
}

#[test]
fn x8_another_user_than_root_holds_no_capability() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    let report = report(&lab, &["--user", "1000", "--cap-add", "SYS_ADMIN"]);
    assert_eq!((&report["caps"]["eff"], &report["caps"]["prm"]), (&NO_CAPS.into(), &NO_CAPS.into()));
    assert_eq!(report["caps"]["bnd"], "00000000802405fb");
}

#[test]
fn x9_only_the_requested_groups_are_set() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    let ask = |options: &[&str]| {
        let report = report(&lab, options);
        (report["uids"][0].clone(), report["gids"][0].clone(), report["groups"].clone())
    };
    assert_eq!(ask(&["--user", "1000:1000"]), (1000.into(), 1000.into(), serde_json::json!([1000])));
    assert_eq!(ask(&["--user", "user"]), (1000.into(), 1000.into(), serde_json::json!([1000, 2000])));
    assert_eq!(ask(&["--user", "12345"]), (12345.into(), 0.into(), serde_json::json!([0])));
    assert_eq!(ask(&[]), (0.into(), 0.into(), serde_json::json!([0])));
    let added = ask(&["--user", "1000:1000", "--group-add", "extra", "--group-add", "44"]);
    assert_eq!(added, (1000.into(), 1000.into(), serde_json::json!([44, 1000, 2000])));
}

#[test]
fn x10_unknown_calls_do_not_exist_and_known_bad_ones_are_not_permitted() {
    let lab = Lab::with_payload();
    let bad = ["mount", "setns", "pivot_root", "fsopen", "open_tree", "bpf", "io_uring_setup", "userfaultfd"];
    let expected = "999 ENOSYS\nclone3 ENOSYS\n".to_owned()
        + &bad.map(|name| format!("{name} EPERM\n")).concat()
        + "perf_event_open EPERM\nvmsplice EPERM\npersonality EPERM\ngetpid ok";
    let list =
        [&["999", "clone3"], &bad[..], &["perf_event_open", "vmsplice", "personality,0x40000", "getpid"]].concat();
    assert_eq!(calls(&lab, &[], &list), expected);
    assert_eq!(
        calls(&lab, &["--security-opt", "seccomp=unconfined"], &["unshare,0x200", "999"]),
        "unshare ok\n999 ENOSYS"
    );
    assert_eq!(calls(&lab, &["--cap-add", "SYS_ADMIN"], &["setns,-1"]), "setns EBADF");
}

/// getpid is 20, unshare 310, keyctl 288, socket 359 there; x32 has no call at all.
#[test]
#[cfg(target_arch = "x86_64")]
fn x10_the_same_holds_for_calls_of_other_architectures() {
    let lab = Lab::with_payload();
    let list = ["i386:20", "i386:999", "i386:310,0x10000000", "i386:288", "i386:359,38,5", "i386:359,2,1", "x32:39"];
    let expected = "20 ok\n999 ENOSYS\n310 EPERM\n288 EPERM\n359 EPERM\n359 ok\n39 ENOSYS";
    assert_eq!(calls(&lab, &[], &list), expected);
}

#[test]
fn x11_sockets_are_of_few_families_and_32_bit_programs_have_a_network() {
    let lab = Lab::with_payload();
    let families =
        ["socket,1,1", "socket,2,1", "socket,10,1", "socket,16,3", "socket,38,5", "socket,40,1", "socket,15,3"];
    let expected = "socket ok\nsocket ok\nsocket ok\nsocket ok\nsocket EPERM\nsocket EPERM\nsocket EPERM";
    assert_eq!(calls(&lab, &[], &families), expected);
    // AF_PACKET with the capability reaches the kernel.
    assert_eq!(calls(&lab, &[], &["socket,17,3"]), "socket EPERM");
    assert_eq!(calls(&lab, &["--cap-add", "NET_RAW"], &["socket,17,3"]), "socket ok");
    #[cfg(target_arch = "x86_64")]
    assert_eq!(calls(&lab, &[], &["i386-socket:0,2,1"]), "0 ok");
}

#[test]
fn x12_nothing_can_be_typed_into_a_terminal() {
    let lab = Lab::with_payload();
    assert_eq!(calls(&lab, &[], &["ioctl,0,0x5412", "ioctl,0,0x541c"]), "ioctl EPERM\nioctl EPERM");
    assert_eq!(calls(&lab, &[], &["ioctl,0,0x100005412"]), "ioctl EPERM");
    // On a terminal: the container's is one of its own, in a session of its own, and still nothing can be typed into
    // it.
    let on_terminal = |options: &[&str], words: &[&str]| {
        let run = lab.rc(RUN).args(options).args(["payload", "/payload"]).args(words).start_on_terminal(24, 80);
        run.wait().exits(0).stdout()
    };
    assert_eq!(on_terminal(&["-it"], &["call", "ioctl,0,0x5412"]), "ioctl EPERM\r\n");
    assert_eq!(on_terminal(&["-it"], &["session"]), "1\r\n");
    let own: Value = serde_json::from_str(&on_terminal(&["-it"], &["report"])).expect("a report");
    assert_eq!(own["fds"]["0"], "/dev/pts/0");
    // The host's keyring is never passed on, even if rc has no other.
    for options in [&["-i"][..], &[]] {
        let report: Value = serde_json::from_str(&on_terminal(options, &["report"])).expect("a report");
        for (number, target) in report["fds"].as_object().expect("descriptors") {
            assert!(!target.as_str().unwrap_or_default().starts_with("/dev/pts"), "{options:?}: {number} is {target}");
        }
    }
}

#[test]
fn x14_no_user_namespace_can_be_nested() {
    let lab = Lab::with_payload();
    let all = ["unshare,0x10000000", "unshare,0x20000", "unshare,0x40000000", "clone,0x10000011", "unshare,0x200"];
    let expected = "unshare EPERM\nunshare EPERM\nunshare EPERM\nclone EPERM\nunshare ok";
    assert_eq!(calls(&lab, &[], &all), expected);
    lab.play(["read", "/proc/sys/user/max_user_namespaces"]).prints("0\n");
    // Without the filter the limit of the namespace still holds.
    let unconfined = calls(&lab, &["--security-opt", "seccomp=unconfined"], &["unshare,0x10000000"]);
    assert_eq!(unconfined, "unshare ENOSPC");
}

#[test]
fn x16_the_monitor_is_reached_by_a_private_path_only() {
    let lab = Lab::with_payload();
    let id = lab.rc(["run", "-d", "--network", "host", "--name", "box", "payload", "/payload", "sleep"]).run().text();
    let mode = |name: &str| fs::metadata(lab.container(&id).join(name)).map(|found| found.permissions().mode() & 0o777);
    assert_eq!((mode("").unwrap(), mode("ctl").unwrap()), (0o700, 0o600));
    // The abstract sockets of the host's network namespace: none is rc's.
    let sockets = lab.rc(["exec", "box", "/payload", "read", "/proc/net/unix"]).run().text();
    let ours = |line: &&str| line.contains('@') && (line.contains("/rc") || line.contains(&id[..12]));
    assert_eq!(sockets.lines().find(ours), None);
    lab.remove_containers();
}
