//! `--ssh ID=KEYFILE`: an agent of the build's own, the host's ssh-agent(1), which has these keys alone and ends with
//! the build. A key with a passphrase is refused: nobody is asked.

use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::pipe::{PipeFlags, pipe_with};

use super::Scene;
use crate::engine::supervised::supervise;
use crate::sys::process::{self, Child, CloneOptions, fork};
use crate::sys::spawn::{Program, spawn};
use crate::sys::{fs, programs};
use crate::types::{Report, ReportKind};

/// An agent with keys. It ends when this is dropped, or with this process.
#[derive(Debug)]
pub(super) struct KeyAgent {
    /// Its socket.
    pub(super) socket: PathBuf,
    /// Who kills it when nobody has the other end of `keeper`: the kernel does not, since ssh-agent has a group of its
    /// own (PR_SET_PDEATHSIG(2const)).
    supervisor: Child,
    keeper: Option<OwnedFd>,
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        drop(self.keeper.take());
        drop(self.supervisor.wait());
    }
}

/// Starts an agent with the keys in these files.
pub(super) fn start(scene: &Scene<'_>, keys: &[PathBuf]) -> Result<KeyAgent, Report> {
    let directory = scene.new_directory("keys")?;
    fs::create_dir(&directory)?;
    let opened: OwnedFd = fs::open_directory(&directory)?.into();
    let (said, says) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    let (kept, keeper) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    // Its own path may be longer than an address can be, and it closes all descriptors but the first three.
    let program = Program {
        path: &found("ssh-agent")?,
        argv: &words(&["ssh-agent", "-D", "-a", "/proc/self/fd/0/agent"])?,
        env: &words(&["PATH=/usr/bin:/bin", "LC_ALL=C"])?,
        descriptors: &[(opened.as_fd(), 0), (says.as_fd(), 1)],
        own_mounts: false,
    };
    let supervisor = fork(&CloneOptions::default(), || {
        drop((process::close(keeper.as_fd()), process::close(said.as_fd())));
        supervise("rc: keys", &program, &says, &kept).map_or(125, |(code, _)| code)
    });
    let agent =
        KeyAgent { socket: directory.join("agent"), supervisor: supervisor.map_err(failed)?, keeper: Some(keeper) };
    drop((says, kept));
    // It says where it listens as soon as it does.
    let mut line = String::new();
    BufReader::new(File::from(said)).read_line(&mut line).map_err(failed)?;
    if line.is_empty() {
        return Err(Report::new(ReportKind::Unavailable, "ssh-agent does not start"));
    }
    for key in keys {
        add(&opened, key)?;
    }
    Ok(agent)
}

/// Gives a key to the agent in a directory.
fn add(directory: &OwnedFd, key: &Path) -> Result<(), Report> {
    let path = CString::new(key.as_os_str().as_bytes()).map_err(|error| failed(std::io::Error::from(error)))?;
    let mut argv = words(&["ssh-add", "-q", "--"])?;
    argv.push(path);
    // No terminal and no window asks for a passphrase.
    let env = ["PATH=/usr/bin:/bin", "LC_ALL=C", "SSH_ASKPASS_REQUIRE=force", "SSH_ASKPASS=/bin/false", "DISPLAY=:"];
    let mut env = words(&env)?;
    env.extend(words(&["SSH_AUTH_SOCK=/proc/self/fd/0/agent"])?);
    let helper = spawn(&Program {
        path: &found("ssh-add")?,
        argv: &argv,
        env: &env,
        descriptors: &[(directory.as_fd(), 0)],
        own_mounts: false,
    });
    let helper = helper.map_err(|error| failed(error.source))?;
    if helper.wait().map_err(failed)?.code() == 0 {
        return Ok(());
    }
    let said = helper.last_words();
    let reason = said.lines().last().unwrap_or("it may have a passphrase");
    let message = format!("cannot use the key `{}`: {reason}", key.display());
    Err(Report::new(ReportKind::Invalid, message)
        .with_hint(format!("give it to an agent of yours: ssh-add {}, and --ssh default", key.display())))
}

fn found(program: &str) -> Result<CString, Report> {
    let path = programs::find(program).ok_or_else(|| {
        let report =
            Report::new(ReportKind::Unavailable, format!("a key file needs {program}, which is not installed"));
        report.with_hint("install the package openssh-client")
    })?;
    CString::new(path.as_os_str().as_bytes()).map_err(|error| failed(std::io::Error::from(error)))
}

fn words(words: &[&str]) -> Result<Vec<CString>, Report> {
    let word = |word: &&str| CString::new(*word).map_err(|error| failed(std::io::Error::from(error)));
    words.iter().map(word).collect()
}

fn failed(error: impl Into<std::io::Error>) -> Report {
    let error = error.into();
    Report::new(ReportKind::of_step(&error), format!("cannot start ssh-agent: {}", fs::plain(&error)))
}
