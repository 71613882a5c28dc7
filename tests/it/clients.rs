//! Commands that exit, are killed or suspended, or come in crowds: their monitor continues to serve the others, and
//! never waits for one of them.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::kill_storm;
use crate::support::{Exit, Lab, Set, Signal, wait};

/// A command that waits for nobody has exited within this time, on a host that is busy with other tests.
const SOON: Duration = Duration::from_secs(20);

/// A lab with a container `box` that plays `words`.
fn lab(options: &[&str], words: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--name", "box", "--network", "none"];
    lab.rc(run).args(options).args(["payload", "/payload"]).args(words).run().succeeds();
    lab
}

/// Asserts that the command has exited, and that its container's monitor still answers.
#[track_caller]
fn serves(lab: &Lab) {
    let exec = lab.rc(["exec", "box", "/payload", "echo", "served"]).deadline(SOON).run();
    assert_eq!(exec.stdout(), "served\n", "{exec}");
}

#[track_caller]
fn stops(lab: &Lab) {
    lab.rc(["stop", "-t", "0", "box"]).deadline(SOON).run().prints("box\n");
}

#[test]
fn a_client_that_exits_does_not_disturb_others() {
    let lab = lab(&["-i"], &["cat"]);
    for round in 0..8 {
        let mut first = lab.rc(["attach", "box"]).open_input().start();
        let mut second = lab.rc(["attach", "box"]).open_input().start();
        let hello = format!("hello {round}\n");
        second.send(&hello);
        second.line(&hello);
        first.send(format!("first {round}\n"));
        first.line(&format!("first {round}\n"));
        // While both have output under way.
        second.send(format!("during {round}\n"));
        first.kill(Signal::KILL);
        second.line(&format!("during {round}\n"));
        second.send(format!("after {round}\n"));
        second.line(&format!("after {round}\n"));
        assert_eq!(first.wait().exit, Exit::Signal(9));
        serves(&lab);
        second.kill(Signal::KILL);
        assert_eq!(second.wait().exit, Exit::Signal(9));
    }
    // The end of a client's input reaches the program; that of a killed client does not.
    let mut last = lab.rc(["attach", "box"]).open_input().start();
    last.send("still there\n");
    last.line("still there\n");
    last.send_end();
    last.wait().succeeds();
    lab.rc(["wait", "box"]).deadline(SOON).run().prints("0\n");
    lab.remove_containers();
}

#[test]
fn a_suspended_client_does_not_block_stop_and_rm() {
    for removal in [&["stop", "-t", "0", "box"][..], &["rm", "-f", "box"]] {
        let lab = lab(&[], &["spin", "1000000000000", "100"]);
        let watcher = lab.rc(["attach", "box"]).start();
        watcher.line("xyz");
        watcher.kill(Signal::STOP);
        // Its pipe is full when the log has grown by more than a pipe holds.
        let log = lab.container(&lab.rc(["inspect", "-f", "{{.Id}}", "box"]).run().text()).join("log");
        let size = || std::fs::metadata(&log).map_or(0, |log| log.len());
        let before = size();
        wait::until("the program's output stops, or goes on", || {
            (size() < before || size() > before + (1 << 20) || is_full(&watcher)).then_some(())
        });
        lab.rc(removal).deadline(SOON).run().prints("box\n");
        watcher.kill(Signal::CONT);
        assert_eq!(watcher.wait().exit, Exit::Code(137));
        lab.remove_containers();
    }
}

/// Whether the pipe of a suspended command is full.
fn is_full(command: &crate::support::Running) -> bool {
    use rustix::io::ioctl_fionread;
    let fds = format!("/proc/{}/fd", command.pid());
    let pipes = std::fs::read_dir(fds).into_iter().flatten().flatten();
    pipes
        .filter_map(|entry| {
            let pipe = std::fs::read_link(entry.path()).ok().filter(|link| link.to_string_lossy().starts_with("pipe:"));
            pipe.and_then(|_| rustix::fs::open(entry.path(), nonblocking(), rustix::fs::Mode::empty()).ok())
        })
        .any(|pipe| ioctl_fionread(&pipe).is_ok_and(|bytes| bytes >= 32 << 10))
}

fn nonblocking() -> rustix::fs::OFlags {
    rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC
}

#[test]
fn a_program_that_has_ended_waits_for_no_reader_and_the_reader_finds_all_of_it() {
    let lab = Lab::with_payload();
    // More than one pipe holds, but not more than all of them.
    let size = 150_000;
    for options in [&["--rm"][..], &[]] {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let words = ["--name", "box", "--network", "none", "payload", "/payload", "spin", "150000"];
        let run = lab.rc(["run"]).args(options).args(words).output(File::from(OwnedFd::from(writer))).start();
        if options.is_empty() {
            let waited = || lab.rc(["wait", "box"]).deadline(SOON).run();
            wait::until("the container ends", || (waited().stdout() == "0\n").then_some(()));
        } else {
            wait::until("the container is gone", || {
                let is_there = lab.rc(["ps", "-aq"]).run().stdout() != "";
                (reader_has_something(&reader) && !is_there).then_some(())
            });
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("the pipe can be read");
        assert_eq!(bytes.len(), size);
        run.wait().succeeds();
        lab.remove_containers();
    }
}

fn reader_has_something(reader: &std::io::PipeReader) -> bool {
    rustix::io::ioctl_fionread(reader).is_ok_and(|bytes| bytes > 0)
}

#[test]
fn a_crowd_neither_hangs_the_monitor_nor_keeps_it_busy() {
    let lab = Lab::with_payload();
    let script = "ulimit -n 64; exec \"$@\"";
    let words = ["run", "-d", "--name", "box", "--network", "none", "payload", "/payload", "sleep"];
    lab.program("/bin/bash", ["-c", script, "bash"]).arg(Lab::rc_path()).args(words).run().succeeds();
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "box"]).run().text();
    let pid = kill_storm::monitor(&lab, &id).expect("a monitor");
    let waiting: Vec<_> = (0..70).map(|_| lab.rc(["wait", "box"]).start()).collect();
    // Surplus clients are told; all others wait.
    let descriptors = || std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    wait::until("the monitor is full", || (descriptors() >= 32).then_some(()));
    // The monitor is idle meanwhile.
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the monitor lives");
        let fields: Vec<u64> = stat.rsplit(' ').filter_map(|field| field.parse().ok()).collect();
        // Fields 14 and 15 of 52.
        fields[fields.len() - 12] + fields[fields.len() - 13]
    };
    let before = (ticks(), std::time::Instant::now());
    for _ in 0..20 {
        lab.rc(["ps"]).run().succeeds();
    }
    let (used, passed) = (ticks() - before.0, before.1.elapsed());
    assert!(u128::from(used) * 10 < passed.as_millis() / 2, "{used} ticks within {passed:?}");
    // No new client may stay, but the container can be stopped.
    let refused = lab.rc(["exec", "box", "/payload", "exit", "0"]).deadline(SOON).run().exits(125);
    assert!(refused.stderr().contains("too many commands are connected"), "{refused}");
    stops(&lab);
    let mut told = 0;
    for waiting in waiting {
        let output = waiting.wait();
        match &output.exit {
            Exit::Code(0) => {
                assert_eq!(output.stdout(), "137\n", "{output}");
                told += 1;
            }
            exit => {
                assert_eq!(*exit, Exit::Code(125), "{output}");
                assert!(output.stderr().contains("too many commands are connected"), "{output}");
            }
        }
    }
    assert!(told >= 8, "only {told} were served");
    lab.remove_containers();
}

#[test]
fn a_process_that_is_frozen_in_the_cgroup_blocks_nobody_else() {
    let lab = lab(&[], &["sleep"]);
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "box"]).run().text();
    let Some(group) = lab.group(&id) else {
        lab.remove_containers();
        // An ordinary user has one if systemd runs.
        require!(Set::current() != Set::Root, "containers have no cgroup of their own here");
        return;
    };
    lab.ready("box");
    // Not with `rc pause`, which the monitor would know of; like a limit that leaves no CPU time.
    std::fs::write(group.join("cgroup.freeze"), "1").expect("the cgroup can be frozen");
    let exec = lab.rc(["exec", "box", "/payload", "echo", "late"]).start();
    let joins = || std::fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|pids| pids.lines().count() > 1);
    wait::until("the joiner is in the cgroup", || joins().then_some(()));
    lab.rc(["kill", "-s", "CONT", "box"]).deadline(SOON).run().prints("box\n");
    let waits = lab.rc(["wait", "box"]).start();
    std::fs::write(group.join("cgroup.freeze"), "0").expect("the cgroup can be thawed");
    exec.wait().prints("late\n");
    // A process that stays frozen ends with the container.
    std::fs::write(group.join("cgroup.freeze"), "1").expect("the cgroup can be frozen");
    let exec = lab.rc(["exec", "box", "/payload", "echo", "never"]).start();
    wait::until("the joiner is in the cgroup", || joins().then_some(()));
    stops(&lab);
    waits.wait().prints("137\n");
    assert_ne!(exec.wait().exit, Exit::Code(0));
    lab.remove_containers();
}

#[test]
fn a_signal_ends_an_unread_command_after_its_program_has_exited() {
    let lab = Lab::with_payload();
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    let (_master, terminal) = terminal();
    // More than a terminal or a pipe holds.
    let words = ["run", "--rm", "--init", "--network", "none", "payload", "/payload", "spin", "1000000000000", "70"];
    for sink in [OwnedFd::from(writer), terminal] {
        let command = lab.rc(words).output(File::from(sink)).start();
        wait::until("its output stops", || is_full(&command).then_some(()));
        // The first signal goes to the program, and ends it.
        command.kill(Signal::TERM);
        wait::until("the container is gone", || lab.rc(["ps", "-aq"]).run().stdout().is_empty().then_some(()));
        command.kill(Signal::TERM);
        assert_eq!(command.wait().exit, Exit::Code(143));
    }
}

#[test]
fn a_signal_is_not_lost_between_the_end_of_a_program_and_the_word_of_it() {
    let lab = Lab::with_payload();
    let (_reader, writer) = std::io::pipe().expect("a pipe");
    let words = ["run", "--name", "box", "--init", "--network", "none", "payload", "/payload", "spin", "1000000000000"];
    let command = lab.rc(words.into_iter().chain(["70"])).output(File::from(OwnedFd::from(writer))).start();
    wait::until("its output stops", || is_full(&command).then_some(()));
    let init: i32 = lab.rc(["inspect", "-f", "{{.State.Pid}}", "box"]).run().text().parse().expect("a pid");
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "box"]).run().text();
    let monitor = kill_storm::monitor(&lab, &id).expect("a monitor");
    // The monitor sees both at once, and handles the program's end first.
    signal(monitor, Signal::STOP);
    signal(init, Signal::KILL);
    let stat = || std::fs::read_to_string(format!("/proc/{init}/stat")).expect("its monitor has yet to wait for it");
    wait::until("the program has ended", || stat().contains(") Z ").then_some(()));
    command.kill(Signal::TERM);
    wait::until("the signal is taken", || (!has_pending_signals(command.pid())).then_some(()));
    signal(monitor, Signal::CONT);
    assert_eq!(command.wait().exit, Exit::Code(143));
    lab.remove_containers();
}

fn signal(pid: i32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid is not 0");
    rustix::process::kill_process(pid, signal).expect("it can be signalled");
}

fn has_pending_signals(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let pending = |line: &str| line.strip_prefix("ShdPnd:").map(|mask| mask.trim().bytes().any(|digit| digit != b'0'));
    status.lines().find_map(pending).expect("it has a set of pending signals")
}

/// A terminal that nobody reads.
fn terminal() -> (OwnedFd, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("the terminal's other side can be opened");
    let path = ptsname(&master, Vec::new()).expect("the terminal's other side has a name");
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let slave = rustix::fs::open(path.as_c_str(), flags, rustix::fs::Mode::empty()).expect("its other side opens");
    (master, slave)
}

#[test]
fn a_joiner_that_is_killed_at_any_point_does_not_block_the_end() {
    use std::os::unix::fs::FileExt as _;
    require!(cfg!(debug_assertions), "this build of rc has no points to die at");
    const NUMBER: u32 = 1_000_000;
    let lab = Lab::with_payload();
    // The points of the monitor and of its children for an exec, without the monitor's own, which come first and last.
    for point in 1..=4 {
        let page = File::options().read(true).write(true).create(true).truncate(true).open(lab.work("page"));
        let page = page.expect("a page can be made");
        page.set_len(4096).expect("a page has its size");
        let plan = format!("{NUMBER}:kill:{}", lab.work("page").display());
        let run = ["run", "-d", "--name", "box", "--network", "none", "payload", "/payload", "sleep"];
        lab.rc(run).env("RC_FAILPOINT", plan).run().succeeds();
        lab.ready("box");
        page.write_all_at(&(NUMBER - 1 - point).to_ne_bytes(), 0).expect("the page can be written");
        let exec = lab.rc(["exec", "box", "/payload", "echo", "hi"]).deadline(SOON).run();
        assert!(matches!(exec.exit, Exit::Code(125 | 137)), "point {point}: {exec}");
        let mut place = [0; 32];
        page.read_exact_at(&mut place, 4).expect("the page can be read");
        assert!(place.starts_with(b"src/"), "point {point} was not reached");
        stops(&lab);
        lab.remove_containers();
    }
}
