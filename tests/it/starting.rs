//! A start that hangs, here in a network helper that never reports that it is ready: the command's caller and everybody
//! else can cancel it at once. And starts beside what other processes do with the same containers.

use std::fs;
use std::time::Duration;

use crate::support::processes::{kill, processes};
use crate::support::{Exit, Lab, Running, Signal, wait};

/// Much less than the half minute that a network has, and enough for a busy host.
const AT_ONCE: Duration = Duration::from_secs(15);

/// A lab with the payload, whose containers never get their network.
fn lab() -> Lab {
    let lab = Lab::with_payload();
    let helper = lab.script("never-ready", "#!/bin/sh\nexec sleep 1000\n");
    let directory = lab.root().join("config/rc");
    fs::create_dir_all(&directory).expect("a directory for settings");
    let settings = format!("[helpers]\nslirp4netns = {:?}\n", helper.display().to_string());
    fs::write(directory.join("rc.toml"), settings).expect("settings can be written");
    lab
}

/// Starts `rc WORDS`, and waits until the container `slow` is starting.
#[track_caller]
fn begin(lab: &Lab, words: &[&str]) -> Running {
    let run = lab.rc(words).start();
    wait::until("the container is starting", || (status(lab) == "starting").then_some(()));
    run
}

fn status(lab: &Lab) -> String {
    lab.rc(["ps", "-a", "--filter", "name=^slow$", "--format", "{{.State}}"]).run().text()
}

const RUN: [&str; 6] = ["run", "--name", "slow", "payload", "/payload", "sleep"];

#[test]
fn a_signal_ends_the_command_at_once_and_the_start_is_taken_back() {
    let lab = lab();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let run = begin(&lab, &RUN);
        run.kill(signal);
        run.wait().within(AT_ONCE).is(code, "", "");
        wait::until("nothing is left", || status(&lab).is_empty().then_some(()));
    }
}

#[test]
fn a_detached_start_whose_command_is_killed_is_taken_back() {
    let lab = lab();
    for (signal, number) in [(Signal::INT, 2), (Signal::KILL, 9)] {
        let run = begin(&lab, &["run", "-d", "--name", "slow", "payload", "/payload", "sleep"]);
        run.kill(signal);
        assert_eq!(run.wait().within(AT_ONCE).exit, Exit::Signal(number));
        wait::until("nothing is left", || status(&lab).is_empty().then_some(()));
    }
}

#[test]
fn an_existing_container_stays_unchanged() {
    let lab = lab();
    lab.rc(["create", "--name", "slow", "payload", "/payload", "sleep"]).run().succeeds();
    let start = begin(&lab, &["start", "--attach", "slow"]);
    start.kill(Signal::INT);
    start.wait().within(AT_ONCE).is(130, "", "");
    wait::until("it is created again", || (status(&lab) == "created").then_some(()));
    lab.remove_containers();
}

#[test]
fn stop_and_rm_reach_a_container_that_is_starting() {
    let lab = lab();
    // Of `--rm` there is no state yet, only the configuration.
    for start in [&RUN[..], &["run", "--rm", "--name", "slow", "payload", "/payload", "sleep"]] {
        for words in [&["stop", "slow"][..], &["rm", "-f", "slow"]] {
            let run = begin(&lab, start);
            lab.rc(words).run().within(AT_ONCE).prints("slow\n");
            run.wait().within(AT_ONCE).is(125, "", "rc: the start was cancelled\n");
            assert_eq!(status(&lab), "");
        }
    }
    // What a killed monitor leaves is no obstacle, and goes.
    let run = begin(&lab, &["run", "--rm", "--name", "slow", "payload", "/payload", "sleep"]);
    kill(processes(&lab, "rc: slow")[0]);
    run.wait().within(AT_ONCE).is(137, "", "rc: the container's monitor was killed\n");
    let next = ["run", "--rm", "--name", "slow", "--network", "none", "payload", "/payload", "exit", "7"];
    lab.rc(next).run().fails(7, "");
    wait::until("nothing is left", || status(&lab).is_empty().then_some(()));
}

/// Sends a signal to a process.
#[track_caller]
fn signal(pid: i32, signal: Signal) {
    let process = rustix::process::Pid::from_raw(pid).expect("a PID");
    rustix::process::kill_process(process, signal).expect("it lives");
}

#[test]
fn a_start_that_another_one_overtakes_does_not_start_the_container_once_more() {
    let lab = Lab::with_payload();
    let create = lab.rc(["create", "--name", "one", "--network", "none", "-v", "data:/data"]);
    create.args(["payload", "/payload", "exit", "3"]).run().succeeds();
    let started = || lab.rc(["start", "-a", "one"]).run().fails(3, "");
    started();
    // It has read the record by the time it waits for the volume.
    let volume = fs::File::open(lab.store().join("volumes/data/lock")).expect("a volume");
    rustix::fs::flock(&volume, rustix::fs::FlockOperation::LockExclusive).expect("a lock");
    let slow = lab.rc(["start", "one"]).start();
    let pid = slow.pid();
    wait::until("it waits for the lock", || {
        let locks = fs::read_to_string("/proc/locks").expect("a list of locks");
        let mut waiting = locks.lines().filter(|line| line.contains("-> FLOCK"));
        waiting.any(|line| line.split_whitespace().any(|word| word == pid.to_string())).then_some(())
    });
    slow.kill(Signal::STOP);
    wait::until("it has stopped", || {
        let status = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
        status.contains(") T ").then_some(())
    });
    drop(volume);
    started();
    slow.kill(Signal::CONT);
    let message = "cannot start `one`: another process has started it meanwhile, and it has ended";
    slow.wait().fails(125, format!("rc: {message}\n"));
    // What `inspect` shows is the other's run.
    let template = "{{.State.Status}} {{.State.ExitCode}} <{{.State.Error}}>";
    lab.rc(["inspect", "--format", template, "one"]).run().prints("exited 3 <>\n");
    let starts = ["events", "--stream=false", "--filter", "event=start", "--format", "{{.Name}}"];
    lab.rc(starts).run().prints("one\none\n");
    lab.remove_containers();
}

#[test]
fn who_needs_a_container_waits_until_its_monitor_has_recorded_its_end() {
    let lab = Lab::with_payload();
    let create = |name: &str, options: &[&str]| {
        let create = lab.rc(["create", "--network", "none", "--name", name]).args(options);
        create.args(["payload", "/payload", "sleep"]).run().succeeds();
    };
    create("one", &[]);
    create("two", &["--requires", "one"]);
    lab.rc(["start", "one"]).run().succeeds();
    let program = || lab.rc(["inspect", "--format", "{{.State.Pid}}", "one"]).run().text();
    let before = program();
    let monitor = wait::until("a monitor", || processes(&lab, "rc: one").first().copied());
    signal(monitor, Signal::STOP);
    kill(before.trim().parse().expect("a PID"));
    // The record says that it runs.
    let start = lab.rc(["start", "two"]).start();
    let descriptors = format!("/proc/{}/fd", start.pid());
    wait::until("it watches the record", || {
        let all = fs::read_dir(&descriptors).expect("it lives").flatten();
        all.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|to| to.ends_with("anon_inode:inotify")).then_some(())
    });
    signal(monitor, Signal::CONT);
    start.wait().succeeds();
    assert_ne!(program(), before);
    lab.rc(["ps", "--format", "{{.Names}}", "--filter", "name=^one$"]).run().prints("one\n");
    lab.remove_containers();
}
