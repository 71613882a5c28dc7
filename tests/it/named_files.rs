//! Output files in a directory that a container shares and fills with links and FIFOs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::Lab;
use crate::support::wait::{self, PATIENCE};

/// A lab with the payload, a directory `shared`, and a file outside of it that no container may touch.
fn lab() -> Lab {
    let lab = Lab::with_payload();
    fs::create_dir(lab.work("shared")).expect("a directory can be made");
    fs::write(lab.work("victim"), "untouched").expect("a file can be written");
    lab
}

const SHARES: [&str; 6] = ["run", "--rm", "--network", "none", "-v", "./shared:/shared"];

/// Lets a container put a link to `victim` into `shared`.
#[track_caller]
fn plant_link(lab: &Lab, name: &str) {
    let words = ["payload", "/payload", "plant", "link"];
    let path = format!("/shared/{name}");
    lab.rc(SHARES).args(words).arg(path).arg(lab.work("victim")).run().says_nothing();
}

#[track_caller]
fn plant_fifo(lab: &Lab, name: &str) {
    lab.rc(SHARES).args(["payload", "/payload", "plant", "fifo"]).arg(format!("/shared/{name}")).run().says_nothing();
}

/// Asserts that nothing was written through a link, and that `shared` has these files.
#[track_caller]
fn untouched(lab: &Lab, expected: &[&str]) {
    assert_eq!(fs::read(lab.work("victim")).expect("there"), b"untouched");
    let mut names: Vec<_> = fs::read_dir(lab.work("shared"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, expected);
}

fn is_regular(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_file())
}

/// Starts a container that shares the directory, and writes its pid files there.
#[track_caller]
fn start(lab: &Lab, name: &str) {
    lab.rc(["run", "-d", "--network", "none", "-v", "./shared:/shared", "--name", name])
        .args(["--pidfile", "shared/init.pid", "--conmon-pidfile", "shared/monitor.pid"])
        .args(["payload", "/payload", "sleep"])
        .run()
        .within(PATIENCE)
        .succeeds();
}

#[test]
fn pid_files_are_never_written_through_planted_links() {
    let lab = lab();
    let init = lab.work("shared/init.pid");
    let monitor = lab.work("shared/monitor.pid");
    // The names themselves, and the temporary name that rc once used beside them.
    for plant in [plant_link, plant_fifo] {
        for name in ["init.pid", "init.pid.new", "monitor.pid", "monitor.pid.new"] {
            plant(&lab, name);
        }
        start(&lab, "box");
        assert!(is_regular(&init) && is_regular(&monitor));
        untouched(&lab, &["init.pid", "init.pid.new", "monitor.pid", "monitor.pid.new"]);
        lab.rc(["stop", "box"]).run().within(PATIENCE).succeeds();
        assert!(!init.exists() && !monitor.exists());
        lab.rc(["rm", "box"]).run().within(PATIENCE).succeeds();
    }
    untouched(&lab, &["init.pid.new", "monitor.pid.new"]);
}

#[test]
fn a_monitor_waits_for_nothing_that_a_container_puts_in_the_place_of_its_pid_file() {
    let lab = lab();
    for plant in ["fifo", "link"] {
        for end in [&["stop", "box"][..], &["rm", "-f", "box"]] {
            start(&lab, "box");
            let shared = lab.rc(["exec", "box", "/payload", "plant", plant, "/shared/init.pid"]);
            if plant == "link" { shared.arg(lab.work("victim")) } else { shared }.run().says_nothing();
            lab.rc(end).run().within(PATIENCE).succeeds();
            // A file that is not the monitor's stays.
            untouched(&lab, &["init.pid"]);
            lab.rc(["rm", "-f", "-i", "box"]).run().within(PATIENCE).succeeds();
        }
    }
}

/// By its second start, a container may have put a link in place of the directory itself.
#[test]
fn pid_files_stay_in_their_directory_whatever_a_container_puts_in_its_place() {
    let lab = lab();
    fs::create_dir_all(lab.work("shared/run")).expect("a directory can be made");
    fs::create_dir(lab.work("other")).expect("a directory can be made");
    for name in ["init.pid", "monitor.pid"] {
        fs::write(lab.work("other").join(name), "untouched").expect("a file can be written");
    }
    lab.rc(["run", "-d", "--network", "none", "--restart", "always", "-v", "./shared:/shared", "--name", "box"])
        .args(["--pidfile", "shared/run/init.pid", "--conmon-pidfile", "shared/run/monitor.pid"])
        .args(["payload", "/payload", "sleep"])
        .run()
        .succeeds();
    let state = |field: &str| lab.rc(["inspect", "-f", &format!("{{{{.{field}}}}}"), "box"]).run().text();
    let first = state("State.Pid");
    fs::rename(lab.work("shared/run"), lab.work("shared/moved")).expect("moved");
    let plant = ["exec", "box", "/payload", "plant", "link", "/shared/run"];
    lab.rc(plant).arg(lab.work("other")).run().says_nothing();
    let pid = first.parse().ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("the process can be signalled");
    wait::until("it runs again, and says so", || {
        let pid = fs::read_to_string(lab.work("shared/moved/init.pid")).ok()?;
        (pid != first).then_some(())
    });
    lab.rc(["rm", "-f", "-t", "0", "box"]).run().within(PATIENCE).succeeds();
    for name in ["init.pid", "monitor.pid"] {
        assert_eq!(fs::read(lab.work("other").join(name)).expect("still there"), b"untouched");
        assert!(!lab.work("shared/moved").join(name).exists(), "{name}");
    }
}

#[test]
fn an_id_file_is_new_and_a_fifo_in_its_place_is_not_waited_for() {
    let lab = lab();
    plant_link(&lab, "id");
    let run = ["run", "-d", "--network", "none", "--cidfile", "shared/id", "payload", "/payload", "sleep"];
    for what in ["link", "dangling link", "fifo"] {
        if what == "dangling link" {
            lab.rc(SHARES)
                .args(["payload", "/payload", "plant", "link", "/shared/id", "/nowhere"])
                .run()
                .says_nothing();
        }
        if what == "fifo" {
            plant_fifo(&lab, "id");
        }
        let output = lab.rc(run).run().within(PATIENCE).exits(125);
        assert!(output.stderr().contains("the file `shared/id` already exists"), "{what}: {output}");
    }
    for command in ["stop", "rm", "kill"] {
        let output = lab.rc([command, "--cidfile", "shared/id"]).run().within(PATIENCE).exits(125);
        assert!(output.stderr().contains("`shared/id`: not a regular file"), "{output}");
    }
    untouched(&lab, &["id"]);
    lab.rc(["ps", "-a", "-q"]).run().prints("");
}

#[test]
fn an_id_file_and_its_container_exist_together_or_not_at_all() {
    let lab = lab();
    let file = lab.work("id");
    let ids = || lab.rc(["ps", "-a", "-q", "--no-trunc"]).run().text();
    for command in ["create", "run"] {
        let make = |name: &str, path: &str, program: &str| {
            lab.rc([command, "--network", "none", "--name", name, "--cidfile", path, "payload", program]).run()
        };
        let refused = make("box", "missing/id", "/payload").exits(125).stderr();
        assert!(refused.contains("missing/id"), "{refused}");
        assert_eq!(ids(), "", "{command} left a container without its file");
        lab.rc(["create", "--name", "taken", "--network", "none", "payload", "/payload"]).run().succeeds();
        assert!(make("taken", "id", "/payload").exits(125).stderr().contains("already in use"));
        assert!(!file.exists(), "{command} left a file without its container");
        lab.remove_containers();
        // A program that cannot be run leaves its container, as with docker.
        let code = if command == "run" { 127 } else { 0 };
        drop(make("box", "id", "/no/such").exits(code));
        assert_eq!(fs::read_to_string(&file).expect("the ID"), ids());
        fs::remove_file(&file).expect("the file can be removed");
        lab.remove_containers();
    }
}

/// A host that goes down leaves pid files of its units, and the next start must not fail because of them.
#[test]
fn pid_files_that_are_there_are_replaced_and_an_id_file_is_refused() {
    let lab = lab();
    let (init, monitor, id) = (lab.work("shared/init.pid"), lab.work("shared/monitor.pid"), lab.work("shared/id"));
    for path in [&init, &monitor, &id] {
        fs::write(path, "1\n").expect("a file can be written");
    }
    start(&lab, "box");
    let pid = |path: &Path| fs::read_to_string(path).expect("there").trim().to_owned();
    assert_eq!(pid(&init), lab.rc(["inspect", "-f", "{{.State.Pid}}", "box"]).run().text());
    let comm = fs::read_to_string(format!("/proc/{}/comm", pid(&monitor))).expect("the monitor lives");
    assert_eq!(comm.trim(), "rc: box");
    lab.rc(["rm", "-f", "-t", "0", "box"]).run().within(PATIENCE).succeeds();
    for command in ["create", "run"] {
        let refused =
            lab.rc([command, "--network", "none", "--cidfile", "shared/id", "payload", "/payload", "exit", "0"]);
        let refused = refused.run().exits(125);
        assert!(refused.stderr().contains("the file `shared/id` already exists"), "{refused}");
    }
    assert_eq!(pid(&id), "1");
    lab.rc(["ps", "-aq"]).run().says_nothing();
}

#[test]
fn an_archive_is_never_written_through_a_link_and_replaces_the_old_one_when_complete() {
    let lab = lab();
    let archive = lab.work("shared/image.tar");
    let save = |path: &str| lab.rc(["save", "-q", "-o", path, "payload"]);
    plant_link(&lab, "image.tar");
    save("shared/image.tar").run().says_nothing();
    assert!(is_regular(&archive));
    untouched(&lab, &["image.tar"]);
    let whole = fs::read(&archive).expect("an archive");
    // A private file stays private.
    let mode = |mode: u32| fs::set_permissions(&archive, fs::Permissions::from_mode(mode)).expect("a mode");
    mode(0o600);
    save("shared/image.tar").run().says_nothing();
    assert_eq!(fs::metadata(&archive).expect("there").permissions().mode() & 0o777, 0o600);
    // A failed save leaves the old file and nothing else.
    fs::write(&archive, "old").expect("written");
    let images = lab.store().join("images/blobs/sha256");
    let largest =
        fs::read_dir(images).expect("blobs").flatten().max_by_key(|blob| blob.metadata().map_or(0, |m| m.len()));
    let blob = largest.expect("a blob").path();
    let bytes = fs::read(&blob).expect("a blob");
    fs::write(&blob, &bytes[..bytes.len() - 1]).expect("a blob can be cut short");
    drop(save("shared/image.tar").run().exits(125));
    assert_eq!(fs::read(&archive).expect("there"), b"old");
    untouched(&lab, &["image.tar"]);
    fs::write(&blob, &bytes).expect("a blob can be written");
    // A device, a descriptor and a FIFO are written to directly.
    save("/dev/null").run().says_nothing();
    let output = save("/dev/stdout").run().exits(0);
    assert_eq!(output.stdout.len(), whole.len());
    plant_fifo(&lab, "pipe");
    let reader = lab.program("cat", ["shared/pipe"]).start();
    save("shared/pipe").run().says_nothing();
    assert_eq!(reader.wait().stdout.len(), whole.len());
    untouched(&lab, &["image.tar", "pipe"]);
}

#[test]
fn a_unit_is_never_written_through_a_link() {
    let lab = lab();
    lab.rc(["create", "--name", "box", "payload", "/payload", "sleep"]).run().succeeds();
    plant_link(&lab, "container-box.service");
    plant_link(&lab, "container-box.service.new");
    let generate = ["generate", "systemd", "--files", "--name", "box"];
    lab.rc(generate).directory(lab.work("shared")).run().succeeds();
    let unit = lab.work("shared/container-box.service");
    assert!(is_regular(&unit) && fs::read_to_string(&unit).expect("a unit").contains("[Service]"));
    untouched(&lab, &["container-box.service", "container-box.service.new"]);
    lab.remove_containers();
}

#[test]
fn the_log_of_a_build_is_never_written_through_a_link() {
    let lab = lab();
    plant_link(&lab, "log");
    fs::write(lab.work("Dockerfile"), "FROM scratch\nCOPY victim /\n").expect("a file can be written");
    lab.rc(["build", "-q", "--logfile", "shared/log", "."]).run().succeeds();
    assert!(is_regular(&lab.work("shared/log")));
    untouched(&lab, &["log"]);
}
