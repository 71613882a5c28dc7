//! The program's standard descriptors: pipes that rc creates, whatever the caller's are, and that lose nothing.
//! Includes the cases X2 of safety.md.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, fcntl_getfl};

use crate::support::command::Command;
use crate::support::{Chance, Exit, Lab, Signal, image, wait};

/// The commands that connect a program to their own descriptors: the words of each, up to the program's.
const JOINED: [&[&str]; 3] = [
    &["run", "--rm", "-i", "--network", "none", "payload", "/payload"],
    &["run", "-i", "--network", "none", "payload", "/payload"],
    &["exec", "-i", "box", "/payload"],
];

/// A lab with the image, and a container `box` for `exec`.
fn lab() -> Lab {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--name", "box", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    lab
}

/// A shell that makes redirections and runs rc with these words.
fn redirected<'a>(lab: &'a Lab, words: &[&str], redirections: &str) -> Command<'a> {
    let script = format!("exec \"$@\" {redirections}");
    lab.program("/bin/bash", ["-c", script.as_str(), "bash"]).arg(Lab::rc_path()).args(words)
}

#[test]
fn x2_a_socket_of_the_caller_leads_nowhere_from_within() {
    let lab = lab();
    let caller = TcpListener::bind("127.0.0.1:0").expect("a port");
    // A service of the host that no container may reach.
    let service = TcpListener::bind("127.0.0.1:0").expect("a port");
    service.set_nonblocking(true).expect("it does not wait");
    let port = caller.local_addr().expect("an address").port();
    let target = service.local_addr().expect("an address").to_string();
    let sockets = format!("<>/dev/tcp/127.0.0.1/{port} >&0");
    for words in JOINED {
        for end in ["in", "out"] {
            let words = [words, &["redial", end, &target]].concat();
            let output = redirected(&lab, &words, &sockets).run().exits(99);
            assert!(output.stderr().contains("Socket operation on non-socket"), "{output}");
            let reached = service.accept().map(|_| ()).map_err(|error| error.kind());
            assert_eq!(reached, Err(ErrorKind::WouldBlock), "{words:?}");
            drop(caller.accept().expect("the shell has connected"));
        }
        // Data still goes both ways.
        let words = [words, &["cat"]].concat();
        let talk = redirected(&lab, &words, &sockets).start();
        let (mut peer, _) = caller.accept().expect("the shell has connected");
        peer.write_all(b"there and back").expect("a socket takes it");
        peer.shutdown(std::net::Shutdown::Write).expect("an end");
        let mut answer = String::new();
        peer.read_to_string(&mut answer).expect("an answer");
        assert_eq!(answer, "there and back", "{words:?}");
        talk.wait().succeeds();
    }
    lab.remove_containers();
}

#[test]
fn x2_pipes_of_the_caller_go_one_way_and_are_left_as_they_were() {
    let lab = lab();
    for words in JOINED {
        // Into the pipe that the caller's next command reads.
        let words = |more: &[&'static str]| [words, more].concat();
        let script = "printf 'for the next one\\n' | { \"$@\"; cat; }";
        let play = |words: &[&str]| lab.program("/bin/sh", ["-c", script, "sh"]).arg(Lab::rc_path()).args(words).run();
        let told = play(&words(&["write", "/proc/self/fd/0", "forged"]));
        assert!(!told.stdout().contains("forged"), "{told}");

        // Out of the pipe that others write to.
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let writer = File::from(OwnedFd::from(writer));
        (&writer).write_all(b"of the host\n").expect("a pipe takes it");
        let copy = writer.try_clone().expect("a descriptor can be copied");
        let peeked = lab.rc(words(&["peek", "/proc/self/fd/1"])).output(copy).run();
        assert!(!peeked.stderr().contains("of the host"), "{peeked}");
        assert!(!fcntl_getfl(&writer).expect("flags").contains(OFlags::NONBLOCK));
        let copy = writer.try_clone().expect("a descriptor can be copied");
        lab.rc(words(&["echo", "of the container"])).output(copy).run().succeeds();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("text");
        assert_eq!(text, "of the host\nof the container\n");
    }
    lab.remove_containers();
}

#[test]
fn a_long_answer_arrives_whole_in_a_pipe_that_makes_nobody_wait() {
    let lab = Lab::new();
    let whole = lab.rc(["completion", "elvish"]).run().stdout();
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("set");
    let answering = lab.rc(["completion", "elvish"]).output(File::from(OwnedFd::from(writer))).start();
    // More than it takes was written at once.
    wait::until("the pipe is full", || (rustix::io::ioctl_fionread(&reader).ok()? >= 64 << 10).then_some(()));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    answering.wait().succeeds();
    assert!(text == whole, "{} of {} bytes", text.len(), whole.len());
}

#[test]
fn x2_a_container_that_outlives_its_command_keeps_no_descriptor_of_the_caller() {
    let lab = lab();
    // The output ended with the command, or `run` would report it.
    lab.rc(["exec", "box", "/payload", "leave", "sleep"]).run().succeeds();
    lab.rc(["exec", "-i", "box", "/payload", "leave", "sleep"]).open_input().start().wait().succeeds();
    // A program that continues to write does not block its command either.
    lab.rc(["exec", "box", "/payload", "leave", "spin", "1000000000000"]).run().succeeds();
    lab.remove_containers();
}

#[test]
fn a_program_notices_that_its_output_is_no_longer_read() {
    let lab = lab();
    let endless = ["spin", "1000000000000"];
    for (words, code) in [(JOINED[0], 99), (JOINED[2], 99)] {
        let words = [words, &endless].concat();
        let script = "\"$@\" | head -c 1; exit \"${PIPESTATUS[0]}\"";
        let output = lab.program("/bin/bash", ["-c", script, "bash"]).arg(Lab::rc_path()).args(&words).run();
        assert_eq!((output.stdout().as_str(), &output.exit), ("0", &Exit::Code(code)), "{output}");
        assert!(output.stderr().contains("Broken pipe"), "{output}");
    }
    // A terminal has no such end: the command exits, as with a log.
    let script = "\"$@\" | head -c 1; exit \"${PIPESTATUS[0]}\"";
    let words = ["run", "--rm", "-t", "--log-driver", "none", "--network", "none", "payload", "/payload"];
    let words = [&words[..], &endless].concat();
    let left = lab.program("/bin/bash", ["-c", script, "bash"]).arg(Lab::rc_path()).args(&words).run().exits(141);
    assert_eq!(left.stdout(), "0");
    lab.remove_containers();
}

#[test]
fn output_arrives_completely_however_slowly_it_is_read() {
    let lab = lab();
    let size = 8 << 20;
    let mut bytes = vec![0; size];
    let mut chance = Chance::new();
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::try_from((place as u64).wrapping_mul(0x9e37_79b9) >> 13 & 0xff).expect("a byte");
    }
    for words in JOINED {
        let words = [words, &["cat"]].concat();
        // From a pipe to a pipe.
        let output = lab.rc(&words).input(bytes.clone()).run();
        assert_eq!((&output.exit, image::digest(&output.stdout)), (&Exit::Code(0), image::digest(&bytes)), "{words:?}");
        // From a file to a file.
        std::fs::write(lab.work("input"), &bytes).expect("a file can be written");
        redirected(&lab, &words, "<input >output").run().succeeds();
        let written = std::fs::read(lab.work("output")).expect("a file can be read");
        assert_eq!(image::digest(&written), image::digest(&bytes), "{words:?}");
        // To a reader that takes a little now and then.
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let command = lab.rc(&words).input(bytes.clone()).output(File::from(OwnedFd::from(writer))).start();
        let mut read = Vec::with_capacity(size);
        let mut piece = vec![0; 1 << 16];
        loop {
            let wanted = 1 + usize::try_from(chance.below(1 << 16)).expect("a size") % piece.len();
            match reader.read(&mut piece[..wanted]).expect("the pipe can be read") {
                0 => break,
                length => read.extend_from_slice(&piece[..length]),
            }
            std::thread::yield_now();
        }
        command.wait().succeeds();
        assert_eq!(image::digest(&read), image::digest(&bytes), "{words:?}");
    }
    lab.remove_containers();
}

#[test]
fn a_full_disk_at_standard_output_is_reported() {
    let lab = lab();
    for words in JOINED {
        let words = [words, &["spin", "100000"]].concat();
        let output = redirected(&lab, &words, ">/dev/full").run().exits(125);
        let last = output.stderr().lines().last().unwrap_or_default().to_owned();
        assert_eq!(last, "rc: cannot write the program's output: no space left on device", "{output}");
    }
    lab.remove_containers();
}

#[test]
fn a_closed_socket_is_noticed_while_the_program_is_silent() {
    let lab = lab();
    for words in [JOINED[1], JOINED[2]] {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        let words = [words, &["sleep"]].concat();
        let command = lab.rc(&words).output(File::from(OwnedFd::from(theirs))).start();
        let mut ready = [0; 6];
        (&ours).read_exact(&mut ready).expect("the program is ready");
        let used = ticks(command.pid());
        drop(ours);
        if words[0] == "run" {
            // As with SIGPIPE; the container continues.
            assert_eq!(command.wait().exit, Exit::Code(141));
        } else {
            for _ in 0..50 {
                lab.rc(["ps"]).run().succeeds();
            }
            assert!(ticks(command.pid()) < used + 10, "it is idle, and was not");
            command.kill(Signal::KILL);
            assert_eq!(command.wait().exit, Exit::Signal(9));
        }
    }
    lab.remove_containers();
}

/// The CPU time that a process has used.
fn ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let fields: Vec<u64> = stat.rsplit(' ').filter_map(|field| field.parse().ok()).collect();
    // Fields 14 and 15 of 52.
    fields[fields.len() - 12] + fields[fields.len() - 13]
}

#[test]
fn output_is_passed_on_although_nobody_reads_the_errors() {
    let lab = lab();
    let words = ["run", "--name", "deaf", "--network", "none", "payload", "/payload", "signals", "1"];
    let command = redirected(&lab, &words, "2> >(exec true)").start();
    command.line("ready\n");
    lab.rc(["kill", "-s", "USR1", "deaf"]).run().prints("deaf\n");
    let output = command.wait();
    assert_eq!((&output.exit, output.stdout().lines().count()), (&Exit::Code(0), 2), "{output}");
    lab.remove_containers();
}
