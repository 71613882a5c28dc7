//! What commands do and say when a container, a network or a volume changes while they work on it: none waits for
//! another that waits for it, and each tells what has happened, not which file or socket it has missed.

use std::fs::{self, File};

use rustix::fs::{FlockOperation, flock};

use crate::kill_storm::monitor;
use crate::support::processes::{kill, processes, waits_for_lock};
use crate::support::{Lab, Running, Signal, wait};

/// Takes a lock of the lab's store until the file is dropped.
fn hold(lab: &Lab, path: &str, operation: FlockOperation) -> File {
    let file = File::options().read(true).write(true).open(lab.store().join(path)).expect("a lock");
    flock(&file, operation).expect("it is free");
    file
}

#[track_caller]
fn signal(pid: i32, signal: Signal) {
    let process = rustix::process::Pid::from_raw(pid).expect("a PID");
    rustix::process::kill_process(process, signal).expect("it lives");
}

/// Waits until the monitor's answer is all that the command waits for.
#[track_caller]
fn asks(command: &Running) {
    let (fds, stat) = (format!("/proc/{}/fd", command.pid()), format!("/proc/{}/stat", command.pid()));
    wait::until("it has asked", || {
        let is_socket = |fd: &fs::DirEntry| {
            let is_own = fd.file_name().to_string_lossy().parse::<u32>().is_ok_and(|number| number > 2);
            is_own && fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        };
        let has_asked = fs::read_dir(&fds).is_ok_and(|all| all.flatten().any(|fd| is_socket(&fd)));
        let sleeps = fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") S "));
        (has_asked && sleeps).then_some(())
    });
}

#[test]
fn a_start_and_the_removal_of_its_network_do_not_wait_for_each_other() {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "--internal", "app"]).run().succeeds();
    // As a container that is being created has it.
    let creating = hold(&lab, "lock", FlockOperation::LockShared);
    let removal = lab.rc(["network", "rm", "app"]).start();
    waits_for_lock(removal.pid());
    lab.rc(["run", "--rm", "--network", "app", "payload", "/payload", "echo", "in"]).run().prints("in\n");
    drop(creating);
    removal.wait().prints("app\n");
}

/// Who lists containers removes it, and gives its address back, for which it takes the network's lock.
#[test]
fn a_network_can_be_removed_after_all_processes_of_its_container_were_killed() {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "--internal", "app"]).run().succeeds();
    lab.rc(["run", "-d", "--rm", "--network", "app", "payload", "/payload", "sleep"]).run().succeeds();
    lab.kill_everything();
    lab.rc(["network", "rm", "app"]).run().prints("app\n");
    lab.settle();
}

#[test]
fn a_copy_has_no_container_while_it_waits_for_a_volume_of_another() {
    let lab = Lab::with_payload();
    let create = |name: &str| lab.rc(["create", "--network", "none", "-v", "data:/data", "--name", name]);
    let mut both: Vec<(String, &str)> =
        ["one", "two"].map(|name| (create(name).args(["payload", "/payload"]).run().text(), name)).into();
    both.sort();
    let [first, second] = [both[0].1, both[1].1];
    lab.rc(["cp", &format!("{first}:/etc/passwd"), "-"]).run().succeeds();
    for (from, to) in [(first, second), (second, first)] {
        let volume = hold(&lab, "volumes/data/lock", FlockOperation::LockExclusive);
        let copy = lab.rc(["cp", &format!("{from}:/etc/passwd"), &format!("{to}:/copy")]).start();
        waits_for_lock(copy.pid());
        for name in [first, second] {
            lab.rc(["update", "--restart", "no", name]).run().succeeds();
        }
        drop(volume);
        copy.wait().succeeds();
    }
    lab.remove_containers();
}

#[test]
fn a_commit_has_no_container_while_it_waits_for_the_store() {
    let lab = Lab::with_payload();
    lab.rc(["create", "--network", "none", "--name", "box", "payload", "/payload"]).run().succeeds();
    let creating = hold(&lab, "lock", FlockOperation::LockShared);
    let commit = lab.rc(["commit", "-q", "--squash", "box", "made"]).start();
    let writer = wait::until("a process that writes the image", || {
        let waits = |pid: &i32| {
            let locks = fs::read_to_string("/proc/locks").expect("a list of locks");
            locks.contains(&format!(" -> FLOCK  ADVISORY  WRITE {pid} "))
        };
        processes(&lab, "rc: commit").into_iter().find(waits)
    });
    assert_ne!(writer, commit.pid());
    lab.rc(["update", "--restart", "no", "box"]).run().succeeds();
    drop(creating);
    commit.wait().succeeds();
    lab.remove_containers();
    lab.rc(["rmi", "made"]).run().succeeds();
}

/// Requests that a monitor has not read when its program ends.
#[test]
fn who_asks_a_container_that_ends_is_told_so() {
    let lab = Lab::with_payload();
    let requests: [&[&str]; 5] = [
        &["exec", "-d", "box", "/payload", "exit", "0"],
        &["exec", "box", "/payload", "exit", "0"],
        &["update", "--pids-limit", "100", "box"],
        &["kill", "-s", "USR1", "box"],
        &["network", "disconnect", "podman", "box"],
    ];
    for (options, code, said) in [
        (&["--rm"][..], 125, "rc: no such container: box\n"),
        (&[], 125, "rc: `box` is not running (exited)\nhint: start it with `rc start box`\n"),
        (&[], 137, "rc: the container's monitor was killed\n"),
    ] {
        let run = lab.rc(["run", "-d", "--network", "none", "--name", "box"]).args(options);
        let id = run.args(["payload", "/payload", "sleep"]).run().text();
        let program = lab.rc(["inspect", "--format", "{{.State.Pid}}", "box"]).run().text();
        let pid = monitor(&lab, id.trim()).expect("a monitor");
        signal(pid, Signal::STOP);
        let asking: Vec<_> = requests.iter().map(|words| lab.rc(*words).start()).collect();
        asking.iter().for_each(asks);
        if code == 137 {
            kill(pid);
        } else {
            kill(program.trim().parse().expect("a PID"));
            signal(pid, Signal::CONT);
        }
        for command in asking {
            command.wait().fails(code, said);
        }
        lab.remove_containers();
    }
}

#[test]
fn a_container_that_was_removed_is_missing_and_not_its_files() {
    let lab = Lab::with_payload();
    let create = |name: &str, options: &[&str]| {
        let create = lab.rc(["create", "--network", "none", "--name", name]).args(options);
        create.args(["payload", "/payload", "exit", "0"]).run().succeeds();
    };
    create("one", &["-v", "data:/data"]);
    create("two", &[]);
    lab.rc(["start", "-a", "one"]).run().succeeds();
    let volume = hold(&lab, "volumes/data/lock", FlockOperation::LockExclusive);
    // It has found both when it starts the first.
    let start = lab.rc(["start", "one", "two"]).start();
    waits_for_lock(start.pid());
    lab.rc(["rm", "two"]).run().prints("two\n");
    drop(volume);
    let output = start.wait().exits(125);
    assert_eq!(output.stderr(), "rc: no such container: two\n");
    lab.remove_containers();
    // A prune removes what it finds, also if others do that at the same time.
    lab.rc(["network", "create", "app"]).run().succeeds();
    let network = hold(&lab, "networks/.lock", FlockOperation::LockExclusive);
    let prune = lab.rc(["network", "prune", "-f"]).start();
    waits_for_lock(prune.pid());
    fs::remove_dir_all(lab.store().join("networks/app")).expect("removed");
    drop(network);
    prune.wait().prints("");
}

#[test]
fn a_start_of_what_was_initialized_is_awaited_by_who_needs_it_and_ended_by_no_removal() {
    let lab = Lab::with_payload();
    let create = ["create", "--network", "none", "--name"];
    lab.rc(create).args(["c", "payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(create).args(["d", "--requires", "c", "payload", "/payload", "sleep"]).run().succeeds();
    let status = |name: &str| lab.rc(["inspect", "-f", "{{.State.Status}}", name]).run().text();
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "c"]).run().text();
    // Sends the requests of two commands to the monitor, which reads them one after the other.
    let together = |both: [&[&str]; 2]| {
        lab.rc(["init", "c"]).run().succeeds();
        let monitor = monitor(&lab, &id).expect("a monitor");
        signal(monitor, Signal::STOP);
        let commands = both.map(|words| {
            let command = lab.rc(words.iter().copied()).start();
            asks(&command);
            command
        });
        signal(monitor, Signal::CONT);
        commands.map(Running::wait)
    };
    // Who needs it finds that another start has begun, and waits for that.
    let [first, second] = together([&["start", "c"], &["start", "d"]]);
    first.prints("c\n");
    second.prints("d\n");
    assert_eq!([status("c"), status("d")], ["running", "running"]);
    lab.rc(["rm", "-f", "-t", "0", "d"]).run().succeeds();
    lab.rc(["stop", "-t", "0", "c"]).run().succeeds();
    // So does a removal, which may end no program.
    let [start, removal] = together([&["start", "c"], &["rm", "c"]]);
    start.prints("c\n");
    let said = removal.exits(2).stderr();
    assert!(said.starts_with("rc: cannot remove `c`: it is "), "{said}");
    assert_eq!(status("c"), "running");
    lab.rc(["rm", "-f", "-t", "0", "c"]).run().succeeds();
}

#[test]
fn who_waits_for_what_was_initialized_or_starts_it_is_told_that_it_was_stopped() {
    let lab = Lab::with_payload();
    lab.rc(["create", "--network", "none", "--name", "c", "payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(["init", "c"]).run().succeeds();
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "c"]).run().text();
    let monitor = monitor(&lab, &id).expect("a monitor");
    let waits = lab.rc(["wait", "c"]).start();
    asks(&waits);
    signal(monitor, Signal::STOP);
    let stop = lab.rc(["stop", "c"]).start();
    asks(&stop);
    let start = lab.rc(["start", "c"]).start();
    asks(&start);
    signal(monitor, Signal::CONT);
    stop.wait().prints("c\n");
    waits.wait().prints("0\n");
    let said = start.wait().exits(125).stderr();
    assert_eq!(said, "rc: cannot start `c`: another process has stopped it meanwhile\n");
    lab.rc(["rm", "c"]).run().succeeds();
}
