//! The host's git, as rc runs it: from the fixed list of directories, without the configuration of the system or the
//! user, without hooks, prompts and background work, and with the protocols that lead to servers alone (safety.md, B5).

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::Fetcher;
use super::place::Authority;
use crate::engine::supervised::{Call, Ran, run};
use crate::registry::NamedBy;
use crate::sys::programs;
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
        let program = Call { name: "rc: git", path: &self.path, argv: &argv, env: &self.environment, allowed: None };
        let Ran { code, said, words } = run(&program, None, LIMIT).map_err(failed)?;
        Ok(match code {
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
