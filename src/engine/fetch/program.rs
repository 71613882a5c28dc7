//! The host's git, as rc runs it: from the fixed list of directories, without the configuration of the system or the
//! user, without hooks, prompts and background work, and with the protocols that lead to servers alone (safety.md, B5).

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use super::Fetcher;
use super::place::Authority;
use crate::registry::NamedBy;
use crate::sys::process::{self, CloneOptions, fork};
use crate::sys::spawn::{Program, spawn};
use crate::sys::{prctl, programs, signal};
use crate::types::{Report, ReportKind};

/// Settings that come before every command.
const SETTINGS: [&str; 12] = [
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.http.allow=always",
    "protocol.ssh.allow=always",
    "protocol.git.allow=always",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "init.defaultBranch=main",
];

/// Variables of the caller's that say how a server is reached.
const PROXIES: [&str; 8] =
    ["http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE"];

/// The most bytes that a command may say.
const LIMIT: u64 = 64 << 20;

/// git, with what all of its commands have in common.
pub(super) struct Git {
    path: CString,
    environment: Vec<CString>,
    settings: Vec<String>,
    /// A sentence's subject, for messages.
    subject: String,
}

impl Git {
    /// git for a repository at `place`. Fails if it is not installed.
    pub(super) fn new(fetcher: &Fetcher<'_>, place: Option<&Authority>, subject: &str) -> Result<Self, Report> {
        let Some(path) = programs::find("git") else {
            let report = Report::new(ReportKind::Unavailable, format!("`{subject}` needs git, which is not installed"));
            return Err(report.with_hint("install the package git"));
        };
        let is_foreign = fetcher.named_by() == NamedBy::Dockerfile;
        // A Dockerfile gets no key of the user's, unless an agent was given to it.
        let ssh =
            if is_foreign { "ssh -F /dev/null -oIdentityFile=none -oBatchMode=yes" } else { "ssh -oBatchMode=yes" };
        let mut environment = vec![
            "PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
            "HOME=/nonexistent".to_owned(),
            "LC_ALL=C".to_owned(),
            "GIT_CONFIG_NOSYSTEM=1".to_owned(),
            "GIT_CONFIG_GLOBAL=/dev/null".to_owned(),
            "GIT_ATTR_NOSYSTEM=1".to_owned(),
            "GIT_TERMINAL_PROMPT=0".to_owned(),
            format!("GIT_SSH_COMMAND={ssh}"),
        ];
        let own = fetcher.environment.iter().filter(|(name, _)| PROXIES.contains(&name.as_str()));
        environment.extend(own.map(|(name, value)| format!("{name}={value}")));
        environment.extend(fetcher.agent.iter().map(|agent| format!("SSH_AUTH_SOCK={agent}")));
        if let Some((place, header)) = place.and_then(|place| Some((place, header(fetcher, place)?))) {
            fetcher.check_private(place)?;
            // Not among the arguments, which everybody can read.
            environment.push("GIT_CONFIG_COUNT=1".to_owned());
            environment.push(format!("GIT_CONFIG_KEY_0=http.{}://{}/.extraHeader", place.scheme, place.authority));
            environment.push(format!("GIT_CONFIG_VALUE_0=Authorization: {header}"));
        }
        let mut settings: Vec<String> = SETTINGS.iter().map(|text| (*text).to_owned()).collect();
        if is_foreign {
            // Nobody has looked at where that leads.
            settings.push("http.followRedirects=false".to_owned());
        }
        if fetcher.tls_verify == Some(false) {
            settings.push("http.sslVerify=false".to_owned());
        }
        let environment = environment.into_iter().map(word).collect::<Result<_, _>>()?;
        Ok(Self { path: word(path.as_os_str())?, environment, settings, subject: subject.to_owned() })
    }

    /// Adds a setting.
    pub(super) fn with(&self, setting: &str) -> Self {
        let settings = self.settings.iter().cloned().chain([setting.to_owned()]).collect();
        Self { path: self.path.clone(), environment: self.environment.clone(), settings, subject: self.subject.clone() }
    }

    /// Adds a variable.
    pub(super) fn with_variable(&self, name: &str, value: &Path) -> Result<Self, Report> {
        let mut with = self.with("core.bare=false");
        let both = [name.as_bytes(), b"=", value.as_os_str().as_bytes()].concat();
        with.environment.push(word(OsStr::from_bytes(&both))?);
        Ok(with)
    }

    /// Runs a command in the repository `directory`, and returns what it says on standard output; the inner error is
    /// what it says on standard error.
    pub(super) fn try_run(&self, directory: Option<&Path>, words: &[&str]) -> Result<Result<String, String>, Report> {
        let mut argv = vec![word("git")?];
        if let Some(directory) = directory {
            argv.push(word("-C")?);
            argv.push(word(directory.as_os_str())?);
        }
        for setting in &self.settings {
            argv.push(word("-c")?);
            argv.push(word(setting)?);
        }
        for text in words {
            argv.push(word(text)?);
        }
        let (out, out_in) = pipe()?;
        let (answer, answer_in) = pipe()?;
        let (keeper, kept) = pipe()?;
        let child = fork(&CloneOptions::default(), || {
            drop((process::close(kept.as_fd()), process::close(out.as_fd()), process::close(answer.as_fd())));
            let program = Program {
                path: &self.path,
                argv: &argv,
                env: &self.environment,
                descriptors: &[(out_in.as_fd(), 1)],
                own_mounts: false,
            };
            let (code, words) =
                supervise("rc: git", &program, &out_in, &keeper).unwrap_or_else(|error| (125, error.to_string()));
            let told = File::from(answer_in).write_all(words.as_bytes());
            if told.is_ok() { code } else { 125 }
        })
        .map_err(failed)?;
        drop((out_in, keeper));
        let (mut said, mut words) = (Vec::new(), String::new());
        File::from(out).take(LIMIT).read_to_end(&mut said).map_err(failed)?;
        File::from(answer).take(LIMIT).read_to_string(&mut words).map_err(failed)?;
        let ended = child.wait().map_err(failed)?;
        drop(kept);
        Ok(match ended.code() {
            0 => Ok(String::from_utf8_lossy(&said).into_owned()),
            code => Err(reason(&words).unwrap_or_else(|| format!("git ended with exit code {code}"))),
        })
    }

    /// As [`Git::try_run`]; a command that fails is an error.
    pub(super) fn run(&self, directory: Option<&Path>, words: &[&str]) -> Result<String, Report> {
        self.try_run(directory, words)?
            .map_err(|said| Report::new(ReportKind::Unavailable, format!("cannot fetch `{}`: {said}", self.subject)))
    }
}

/// Runs a program in this forked child, in a process group of its own, and returns its exit code and its last words.
/// When the other end of `keeper` is closed, nobody waits for it any more: the program and what it has started are
/// killed, and so is this child, which is called `name`.
pub(in crate::engine) fn supervise(
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

fn pipe() -> Result<(OwnedFd, OwnedFd), Report> {
    pipe_with(PipeFlags::CLOEXEC).map_err(failed)
}

fn failed(error: impl Into<io::Error>) -> Report {
    let error = error.into();
    Report::new(ReportKind::of_step(&error), format!("cannot run git: {}", crate::sys::fs::plain(&error)))
}

/// What is sent to a server. A secret without a host is for what the user has named, and not for what a Dockerfile
/// does. Source: BuildKit's documentation, "Authenticate to private repositories".
fn header(fetcher: &Fetcher<'_>, place: &Authority) -> Option<String> {
    use base64::Engine as _;
    let ids = |before: &str| {
        let of_host = place.secrets(&format!("{before}."));
        let general = (fetcher.by == NamedBy::User).then(|| before.to_owned());
        of_host.into_iter().chain(general).collect::<Vec<_>>()
    };
    let basic = |token: String| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
        format!("basic {encoded}")
    };
    let whole = fetcher.secret(&ids("GIT_AUTH_HEADER"));
    whole.or_else(|| fetcher.secret(&ids("GIT_AUTH_TOKEN")).map(basic))
}

/// The line that says what is wrong.
fn reason(words: &str) -> Option<String> {
    let lines = || words.lines().map(str::trim).filter(|line| !line.is_empty());
    let wrong = lines().find_map(|line| line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")));
    wrong.or_else(|| lines().next_back()).map(str::to_owned)
}

fn word(text: impl AsRef<OsStr>) -> Result<CString, Report> {
    CString::new(text.as_ref().as_bytes())
        .map_err(|_| Report::new(ReportKind::Invalid, "an argument for git has a NUL byte"))
}
