//! Programs of the host that rc waits for: a child supervises each, and kills it, and what it has started, when nobody
//! waits any more.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use crate::sys::landlock::{self, Allowed};
use crate::sys::process::{self, CloneOptions, fork};
use crate::sys::spawn::{Program, spawn};
use crate::sys::{prctl, signal};

/// The most bytes of a program's last words.
const WORDS: u64 = 64 << 10;

/// A program, and how it is called.
pub(super) struct Call<'a> {
    /// The name of the child that supervises it.
    pub(super) name: &'a str,
    /// Its absolute path.
    pub(super) path: &'a CStr,
    /// Its arguments, its own name first.
    pub(super) argv: &'a [CString],
    /// Its whole environment.
    pub(super) env: &'a [CString],
    /// What it may do with files, if not everything that its user may.
    pub(super) allowed: Option<&'a Allowed>,
}

/// A program that has ended.
pub(super) struct Ran {
    /// Its exit code.
    pub(super) code: i32,
    /// What it has said on standard output.
    pub(super) said: Vec<u8>,
    /// Its last words on standard error.
    pub(super) words: String,
}

/// Runs a program, which reads `input`, and waits for it. Of its output `limit` bytes are read; one that writes more
/// cannot do so.
pub(super) fn run(call: &Call<'_>, input: Option<BorrowedFd<'_>>, limit: u64) -> io::Result<Ran> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let ((out, out_in), (answer, answer_in), (keeper, kept)) = (pipe()?, pipe()?, pipe()?);
    let child = fork(&CloneOptions::default(), || {
        drop((process::close(kept.as_fd()), process::close(out.as_fd()), process::close(answer.as_fd())));
        let descriptors: Vec<_> = input.map(|input| (input, 0)).into_iter().chain([(out_in.as_fd(), 1)]).collect();
        let program =
            Program { path: call.path, argv: call.argv, env: call.env, descriptors: &descriptors, own_mounts: false };
        let ran = confine(call.allowed).and_then(|()| supervise(call.name, &program, &out_in, &keeper));
        let (code, words) = ran.unwrap_or_else(|error| (125, error.to_string()));
        let told = File::from(answer_in).write_all(words.as_bytes());
        if told.is_ok() { code } else { 125 }
    })?;
    drop((out_in, keeper));
    let (mut said, mut words) = (Vec::new(), Vec::new());
    File::from(out).take(limit).read_to_end(&mut said)?;
    File::from(answer).take(WORDS).read_to_end(&mut words)?;
    let code = child.wait()?.code();
    drop(kept);
    Ok(Ran { code, said, words: String::from_utf8_lossy(&words).into_owned() })
}

fn confine(allowed: Option<&Allowed>) -> io::Result<()> {
    let Some(allowed) = allowed else { return Ok(()) };
    prctl::set_no_new_privs()?;
    landlock::restrict(allowed)
}

/// Runs a program in this forked child, in a process group of its own, and returns its exit code and its last words.
/// When the other end of `keeper` is closed, nobody waits for it any more: the program and what it has started are
/// killed, and so is this child, which is called `name`.
pub(super) fn supervise(
    name: &str,
    program: &Program<'_>,
    out: &OwnedFd,
    keeper: &OwnedFd,
) -> io::Result<(i32, String)> {
    prctl::set_name(name)?;
    signal::unblock_all()?;
    rustix::process::setpgid(None, None)?;
    // The modes of what it checks out.
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let helper = spawn(program).map_err(|error| error.source)?;
    process::close(out.as_fd())?;
    let pidfd = helper.pidfd();
    loop {
        let mut polled = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN), PollFd::new(keeper, PollFlags::empty())];
        match poll(&mut polled, None::<&Timespec>) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        if !polled[1].revents().is_empty() {
            rustix::process::kill_current_process_group(Signal::KILL)?;
        }
        if !polled[0].revents().is_empty() {
            let ended = helper.wait()?;
            return Ok((ended.code(), helper.last_words()));
        }
    }
}
