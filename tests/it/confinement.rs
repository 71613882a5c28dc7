//! Ways out of a container that must fail: the cases X1–X16 of safety.md, each test named by its number.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::{Exit, Image, Lab, Layer, Output, chance, image, wait};

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
    let lab = Lab::new();
    lab.payload();
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
    let lab = Lab::new();
    lab.payload();
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
    let lab = Lab::new();
    lab.payload();
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
    let lab = Lab::new();
    lab.payload();
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
    let lab = Lab::new();
    lab.payload();
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
    let lab = Lab::new();
    lab.payload();
    let report = report(&lab, &["--user", "1000", "--cap-add", "SYS_ADMIN"]);
    assert_eq!((&report["caps"]["eff"], &report["caps"]["prm"]), (&NO_CAPS.into(), &NO_CAPS.into()));
    assert_eq!(report["caps"]["bnd"], "00000000802405fb");
}

#[test]
fn x9_only_the_requested_groups_are_set() {
    only!(Full | Root);
    let lab = Lab::new();
    lab.payload();
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
    let lab = Lab::new();
    lab.payload();
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
fn x10_the_same_holds_by_the_doors_of_other_architectures() {
    let lab = Lab::new();
    lab.payload();
    let list = ["i386:20", "i386:999", "i386:310,0x10000000", "i386:288", "i386:359,38,5", "i386:359,2,1", "x32:39"];
    let expected = "20 ok\n999 ENOSYS\n310 EPERM\n288 EPERM\n359 EPERM\n359 ok\n39 ENOSYS";
    assert_eq!(calls(&lab, &[], &list), expected);
}

#[test]
fn x11_sockets_are_of_few_families_and_32_bit_programs_have_a_network() {
    let lab = Lab::new();
    lab.payload();
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
    let lab = Lab::new();
    lab.payload();
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

/// All tests share the quota of a user's keys, so tests that create keys, or leave none, take turns.
static KEYS: Mutex<()> = Mutex::new(());

#[test]
fn x13_keyrings_are_closed() {
    let _alone = KEYS.lock();
    let lab = Lab::new();
    lab.payload();
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

/// It silently stayed in the caller's keyring then.
#[test]
fn x13_where_no_key_is_left_a_program_has_a_keyring_of_its_own_all_the_same() {
    // Root may have a million, and with one ID no other user can own a keyring.
    only!(Full);
    let _alone = KEYS.lock();
    let lab = Lab::new();
    lab.payload();
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
fn x13_where_keyrings_are_filtered_away_containers_run_and_can_use_none() {
    let lab = Lab::new();
    lab.payload();
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

#[test]
fn x14_no_user_namespace_can_be_nested() {
    let lab = Lab::new();
    lab.payload();
    let all = ["unshare,0x10000000", "unshare,0x20000", "unshare,0x40000000", "clone,0x10000011", "unshare,0x200"];
    let expected = "unshare EPERM\nunshare EPERM\nunshare EPERM\nclone EPERM\nunshare ok";
    assert_eq!(calls(&lab, &[], &all), expected);
    lab.play(["read", "/proc/sys/user/max_user_namespaces"]).prints("0\n");
    // Without the filter the limit of the namespace still holds.
    let unconfined = calls(&lab, &["--security-opt", "seccomp=unconfined"], &["unshare,0x10000000"]);
    assert_eq!(unconfined, "unshare ENOSPC");
}

#[test]
fn x15_a_process_that_joins_shows_nothing_of_rc() {
    let lab = Lab::new();
    lab.payload();
    let spy = ["run", "-d", "--network", "none", "--name", "spy", "payload", "/payload", "spy", "/tmp/stop"];
    lab.rc(spy).run().succeeds();
    let container = lab.rc(["inspect", "--format", "{{.Id}}", "spy"]).run().text();
    for _ in 0..chance::count("RC_TEST_EXECS", 100) {
        lab.rc(["exec", "spy", "/payload", "exit", "0"]).run().says_nothing();
    }
    // The file ends the container, and with it, perhaps, the process that has just made it.
    let stop = lab.rc(["exec", "spy", "/payload", "write", "/tmp/stop", ""]).run();
    assert!([Exit::Code(0), Exit::Code(137)].contains(&stop.exit), "{stop}");
    lab.rc(["wait", "spy"]).run().prints("0\n");
    let log = lab.rc(["logs", "spy"]).run().text();
    for line in log.lines().filter(|line| *line != "ready") {
        let (name, target) = line.split_once(' ').expect("a name and a target");
        let harmless = match name {
            "exe" => target == "/payload",
            "root" | "cwd" => target == "/",
            _ => ["pipe", "/dev/null", "/tmp/stop"].contains(&target) || target.starts_with("/proc/"),
        };
        assert!(harmless, "seen in container {container}: {line}\n{log}");
    }
    lab.remove_containers();
}

/// If `fs.suid_dumpable` is 1, a program in the container may trace a process that has just become its user. The
/// setting is for the whole host, so the host's root, who may always trace, plays the program.
#[test]
fn x15_a_process_that_joins_has_nothing_of_the_monitor_s_open() {
    only!(Root);
    let lab = Lab::new();
    lab.payload();
    lab.rc(["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"]).run().succeeds();
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "box"]).run().text();
    let init = lab.rc(["inspect", "--format", "{{.State.Pid}}", "box"]).run().text();
    let monitor = crate::kill_storm::monitor(&lab, &id).expect("a monitor");
    let (processes, namespace) = (format!("/proc/{monitor}/task/{monitor}/children"), |process: &str| {
        fs::read_link(format!("/proc/{process}/ns/pid")).ok()
    });
    let inside = namespace(&init);
    let is_over = AtomicBool::new(false);
    let (seen, open) = std::thread::scope(|scope| {
        let spy = scope.spawn(|| {
            let (mut seen, mut open) = (BTreeSet::new(), BTreeSet::new());
            while !is_over.load(Ordering::Relaxed) {
                let children = fs::read_to_string(&processes).expect("the monitor lives");
                for child in children.split_whitespace().filter(|child| *child != init && namespace(child) == inside) {
                    let files = fs::read_dir(format!("/proc/{child}/fd"));
                    let files = files.into_iter().flatten().flatten();
                    open.extend(files.filter_map(|file| fs::read_link(file.path()).ok()));
                    seen.insert(child.to_owned());
                }
            }
            (seen.len(), open)
        });
        for _ in 0..chance::count("RC_TEST_EXECS", 100) {
            lab.rc(["exec", "-u", "1000", "box", "/payload", "exit", "0"]).run().says_nothing();
        }
        is_over.store(true, Ordering::Relaxed);
        spy.join().expect("the spy ends")
    });
    assert!(seen > 0, "no process that joins was seen");
    let of_the_monitor = |file: &&PathBuf| file.starts_with(lab.root());
    assert_eq!(open.iter().find(of_the_monitor), None, "{open:?}");
    assert!(!open.iter().any(|file| file.to_string_lossy().starts_with("user:[")), "{open:?}");
    lab.remove_containers();
}

/// The socket between a joining process and the monitor: its holder could make `exec` wait, and read the messages.
#[test]
fn x15_nothing_can_be_taken_from_a_process_that_joins() {
    let lab = Lab::new();
    lab.payload();
    // Without the filter, which would refuse the call: the test is about what the kernel allows another root of the
    // container.
    let open = ["--network", "none", "--security-opt", "seccomp=unconfined"];
    let thief = ["--name", "thief", "payload", "/payload", "grab", "/tmp/stop"];
    lab.rc(["run", "-d"]).args(open).args(thief).run().succeeds();
    lab.ready("thief");
    for _ in 0..chance::count("RC_TEST_EXECS", 300) {
        let exec = lab.rc(["exec", "thief", "/payload", "exit", "7"]).run().within(wait::PATIENCE);
        assert_eq!(exec.exit, Exit::Code(7), "{exec}");
    }
    let stop = lab.rc(["exec", "thief", "/payload", "write", "/tmp/stop", ""]).run();
    assert!([Exit::Code(0), Exit::Code(137)].contains(&stop.exit), "{stop}");
    lab.rc(["wait", "thief"]).run().prints("0\n");
    let log = lab.rc(["logs", "thief"]).run().text();
    let taken: Vec<&str> = log.lines().filter(|line| *line != "ready").collect();
    assert!(!taken.is_empty(), "it could take nothing, not even from its own child");
    for line in taken {
        // The programs' own files do not matter.
        let own = ["0 pipe", "1 pipe", "2 pipe", "0 /dev/null", "1 /dev/null", "2 /dev/null", "3 /tmp/stop"];
        let of_their_start = line.starts_with("fd 3 /proc/") && line.ends_with("/maps");
        assert!(own.contains(&&line[3..]) || of_their_start, "it took {line}\n{log}");
    }
    lab.remove_containers();
}

#[test]
fn x15_a_tracer_that_holds_a_descriptor_blocks_nobody() {
    let lab = Lab::new();
    lab.payload();
    let thief = ["--name", "thief", "--cap-add", "SYS_PTRACE", "payload", "/payload", "grab", "/tmp/stop"];
    lab.rc(["run", "-d", "--network", "none"]).args(thief).run().succeeds();
    lab.ready("thief");
    for _ in 0..40 {
        let exec = lab.rc(["exec", "thief", "/payload", "exit", "7"]).run().within(wait::PATIENCE);
        assert_eq!(exec.exit, Exit::Code(7), "{exec}");
        let detached = lab.rc(["exec", "-d", "thief", "/payload", "exit", "0"]).run().within(wait::PATIENCE);
        assert_eq!(detached.exit, Exit::Code(0), "{detached}");
    }
    let monitor = crate::kill_storm::monitor(&lab, &lab.rc(["inspect", "-f", "{{.Id}}", "thief"]).run().text());
    let children = format!("/proc/{0}/task/{0}/children", monitor.expect("a monitor"));
    wait::until("every process of an exec is reaped", || {
        (fs::read_to_string(&children).expect("the monitor lives").split_whitespace().count() == 1).then_some(())
    });
    lab.rc(["stop", "-t", "0", "thief"]).run().within(wait::PATIENCE).prints("thief\n");
    lab.remove_containers();
}

#[test]
fn x15_an_init_that_stays_has_only_the_program_s_descriptors() {
    let lab = Lab::new();
    lab.payload();
    for _ in 0..20 {
        let run = ["--security-opt", "seccomp=unconfined", "--init"];
        assert_eq!(file_names(&lab, &run, "/proc/1/fd"), ["0", "1", "2"]);
    }
}

#[test]
fn x15_debuggers_work_and_only_tracers_get_descriptors_of_others() {
    let lab = Lab::new();
    lab.payload();
    lab.play(["trace"]).prints("as expected\n");
    let list = ["pidfd_getfd,-1", "kcmp,1,1,-1", "process_madvise,-1"];
    assert_eq!(calls(&lab, &[], &list), "pidfd_getfd EPERM\nkcmp EPERM\nprocess_madvise EPERM");
    let tracer = calls(&lab, &["--cap-add", "SYS_PTRACE"], &list);
    assert_eq!(tracer, "pidfd_getfd EBADF\nkcmp EINVAL\nprocess_madvise EBADF");
}

#[test]
fn x16_the_monitor_is_reached_by_a_private_path_only() {
    let lab = Lab::new();
    lab.payload();
    let id = lab.rc(["run", "-d", "--network", "host", "--name", "box", "payload", "/payload", "sleep"]).run().text();
    let mode = |name: &str| fs::metadata(lab.container(&id).join(name)).map(|found| found.permissions().mode() & 0o777);
    assert_eq!((mode("").unwrap(), mode("ctl").unwrap()), (0o700, 0o600));
    // The abstract sockets of the host's network namespace: none is rc's.
    let sockets = lab.rc(["exec", "box", "/payload", "read", "/proc/net/unix"]).run().text();
    let ours = |line: &&str| line.contains('@') && (line.contains("/rc") || line.contains(&id[..12]));
    assert_eq!(sockets.lines().find(ours), None);
    lab.remove_containers();
}
