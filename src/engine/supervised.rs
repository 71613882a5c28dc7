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

/// The most bytes that are kept of a program's last words: as many as a pipe holds.
const WORDS: usize = 64 << 10;
/// The most bytes of them as text: one that is none takes three.
const TEXT: u64 = 3 * (64 << 10);

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
    /// Its last words on standard error: the end of a long text.
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
    File::from(answer).take(TEXT).read_to_end(&mut words)?;
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
    let (heard, said) = pipe_with(PipeFlags::CLOEXEC)?;
    let descriptors: Vec<_> = program.descriptors.iter().copied().chain([(said.as_fd(), 2)]).collect();
    let helper = spawn(&Program { descriptors: &descriptors, ..*program }).map_err(|error| error.source)?;
    drop(said);
    process::close(out.as_fd())?;
    let mut words = LastWords::of(heard)?;
    let pidfd = helper.pidfd();
    loop {
        let mut polled = vec![PollFd::from_borrowed_fd(pidfd, PollFlags::IN), PollFd::new(keeper, PollFlags::empty())];
        polled.extend(words.pipe.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        match poll(&mut polled, None::<&Timespec>) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let is_ready = |number: usize| polled.get(number).is_some_and(|one| !one.revents().is_empty());
        let [has_ended, is_left, speaks] = [0, 1, 2].map(is_ready);
        if is_left {
            rustix::process::kill_current_process_group(Signal::KILL)?;
        }
        if speaks || has_ended {
            words.hear()?;
        }
        if has_ended {
            return Ok((helper.wait()?.code(), words.text()));
        }
    }
}

/// The end of what a program says on standard error. It is read all the time: the reason for a failure comes last, and
/// must not be lost because there was no room for it.
struct LastWords {
    /// `None` when nobody can say anything any more.
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
    /// Whether their beginning is missing.
    is_cut: bool,
}

impl LastWords {
    fn of(pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe: Some(pipe), bytes: Vec::new(), is_cut: false })
    }

    /// Reads what is in the pipe, without waiting. Once: who never stops to speak must not keep this process from its
    /// other duties.
    fn hear(&mut self) -> io::Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let mut part = vec![0; WORDS];
        match rustix::io::read(pipe, &mut part[..]) {
            Ok(0) => self.pipe = None,
            Ok(length) => {
                self.bytes.extend(&part[..length]);
                let needless = self.bytes.len().saturating_sub(WORDS);
                self.bytes.drain(..needless);
                self.is_cut |= needless > 0;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The whole lines.
    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let whole = text.split_once('\n').filter(|_| self.is_cut).map_or(&*text, |(_, rest)| rest);
        whole.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_a_program_says_is_kept_however_much_that_is() {
        let (heard, said) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let mut words = LastWords::of(heard).expect("begins");
        words.hear().expect("nothing yet, and does not wait");
        let mut said = File::from(said);
        said.write_all(b"\nfirst\n").expect("said");
        words.hear().expect("heard");
        assert_eq!(words.text(), "first");
        for number in 0..8000 {
            writeln!(said, "line {number}").expect("said");
            words.hear().expect("heard");
        }
        said.write_all(b"last\xff").expect("said");
        drop(said);
        (0..3).for_each(|_| words.hear().expect("heard to the end"));
        assert!(words.pipe.is_none(), "nobody is left to wait for");
        let text = words.text();
        assert!(text.starts_with("line ") && text.ends_with("\nline 7999\nlast\u{fffd}"), "{text}");
        assert!((WORDS - 20..WORDS + 3).contains(&text.len()), "{}", text.len());
    }
}
