//! X15: processes that join a container or stay in it have nothing that its programs could take.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{calls, file_names};
use crate::support::{Exit, Lab, chance, wait};

#[test]
fn x15_a_process_that_joins_shows_nothing_of_rc() {
    let lab = Lab::with_payload();
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
    let lab = Lab::with_payload();
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
    let lab = Lab::with_payload();
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
    let lab = Lab::with_payload();
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
    let lab = Lab::with_payload();
    for _ in 0..20 {
        let run = ["--security-opt", "seccomp=unconfined", "--init"];
        assert_eq!(file_names(&lab, &run, "/proc/1/fd"), ["0", "1", "2"]);
    }
}

#[test]
fn x15_debuggers_work_and_only_tracers_get_descriptors_of_others() {
    let lab = Lab::with_payload();
    lab.play(["trace"]).prints("as expected\n");
    let list = ["pidfd_getfd,-1", "kcmp,1,1,-1", "process_madvise,-1"];
    assert_eq!(calls(&lab, &[], &list), "pidfd_getfd EPERM\nkcmp EPERM\nprocess_madvise EPERM");
    let tracer = calls(&lab, &["--cap-add", "SYS_PTRACE"], &list);
    assert_eq!(tracer, "pidfd_getfd EBADF\nkcmp EINVAL\nprocess_madvise EBADF");
}
