//! The supervisor: every command of a test runs beneath one, so that the test can find the processes that it left
//! behind.
//!
//! It makes itself the reaper of its descendants, so every process that the command starts, even one that is detached,
//! becomes its child in the end. It writes to the socket, one line each:
//!
//! ```text
//! pid N          the command runs as process N
//! exit N         it ended with code N          (or `signal N`: it died of signal N)
//! ```
//! It exits, which closes the socket, when no descendant is left: a test that reads to the end knows that the command
//! left no process. If the other side closes its half first, the supervisor kills all descendants.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, exit};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Runs `program` with `arguments` and this process's standard descriptors, environment and working directory.
pub(crate) fn run(socket: &str, program: &str, arguments: &[&str]) -> Outcome {
    let mut socket = UnixStream::connect(socket)?;
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let child = match Command::new(program).args(arguments).spawn() {
        Ok(child) => child,
        Err(error) => {
            writeln!(socket, "error cannot start `{program}`: {error}")?;
            return Ok(());
        }
    };
    let command = child.id();
    writeln!(socket, "pid {command}")?;
    close_standard_descriptors()?;
    let mut peer = socket.try_clone()?;
    std::thread::spawn(move || {
        let mut byte = [0];
        drop(peer.read(&mut byte));
        kill_descendants();
        exit(0)
    });
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get().unsigned_abs() == command => {
                match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => writeln!(socket, "exit {code}")?,
                    (None, Some(signal)) => writeln!(socket, "signal {signal}")?,
                    (None, None) => {}
                }
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Closes the command's pipes and terminal, so that their readers see the end when the command closes its own copies.
fn close_standard_descriptors() -> Outcome {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}

/// Kills descendants until none is left; the waiting loop reaps them.
fn kill_descendants() {
    let this = std::process::id();
    loop {
        let living = descendants(this);
        if living.is_empty() {
            return;
        }
        for pid in living {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // It may have exited already.
                kill_process(pid, Signal::KILL).ok();
            }
        }
        std::thread::yield_now();
    }
}

/// The living descendants of process `ancestor`, by the parents of all processes of the host.
fn descendants(ancestor: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, living_parent(pid)?)))
        .collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// The parent of process `pid`; none if it has exited or is a zombie.
fn living_parent(pid: u32) -> Option<u32> {
    let line = crate::text(&format!("/proc/{pid}/stat")).ok()?;
    let mut fields = line[line.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    if state == "Z" { None } else { fields.next()?.parse().ok() }
}
