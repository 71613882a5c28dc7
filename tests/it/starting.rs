//! A start that hangs, here in a network helper that never reports that it is ready: the command's caller and everybody
//! else can cancel it at once.

use std::fs;
use std::time::Duration;

use crate::support::{Exit, Lab, Running, Signal, wait};

/// Much less than the half minute that a network has, and enough for a busy host.
const AT_ONCE: Duration = Duration::from_secs(15);

/// A lab with the payload, whose containers never get their network.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.payload();
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
    for words in [&["stop", "slow"][..], &["rm", "-f", "slow"]] {
        let run = begin(&lab, &RUN);
        lab.rc(words).run().within(AT_ONCE).prints("slow\n");
        run.wait().within(AT_ONCE).is(125, "", "rc: the start was cancelled\n");
        assert_eq!(status(&lab), "");
    }
}
