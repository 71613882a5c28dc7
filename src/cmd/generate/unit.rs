//! A unit file. Source: systemd.unit(5), systemd.service(5), systemd.syntax(7).

mod syntax;

use std::fmt;

use self::syntax::{percent, quoted};
use crate::plan::RestartPolicy;

/// The values of `Restart=`.
pub(super) const RESTARTS: [&str; 7] =
    ["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"];

/// When systemd restarts the unit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Restart {
    /// `Restart=`.
    pub(super) policy: String,
    /// `StartLimitBurst=`.
    pub(super) burst: Option<u32>,
}

impl Restart {
    /// The container's own policy in systemd's words. Source: podman-generate-systemd(1), `--restart-policy`.
    pub(super) fn of(policy: RestartPolicy) -> Self {
        let (policy, burst) = match policy {
            RestartPolicy::No => ("no", None),
            RestartPolicy::Always | RestartPolicy::UnlessStopped => ("always", None),
            RestartPolicy::OnFailure { retries } => ("on-failure", retries),
        };
        Self { policy: policy.to_owned(), burst }
    }
}

/// The contents of the file.
#[derive(Debug)]
pub(super) struct Unit {
    /// Its name.
    pub(super) file: String,
    /// The comment at the top.
    pub(super) header: Option<String>,
    pub(super) after: Vec<String>,
    pub(super) requires: Vec<String>,
    pub(super) wants: Vec<String>,
    /// The directory that must be mounted.
    pub(super) store: String,
    /// `NAME=value`.
    pub(super) environment: Vec<String>,
    pub(super) restart: Restart,
    /// Seconds.
    pub(super) restart_sec: Option<u32>,
    /// Seconds.
    pub(super) start_timeout: Option<u32>,
    /// Seconds.
    pub(super) stop_timeout: u32,
    /// The exit code of a program that the stop signal killed.
    pub(super) killed: i32,
    /// The command that starts the container, as words; in a template, `%i` in it is the instance.
    pub(super) start: Vec<String>,
    /// The command that stops the container, if a signal to the main process does not.
    pub(super) stop: Option<Vec<String>>,
    /// The command that removes what is left.
    pub(super) after_stop: Option<Vec<String>>,
    /// The service manager is notified when the container is ready.
    pub(super) notifies: bool,
    pub(super) is_template: bool,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(header) = &self.header {
            writeln!(f, "# {}\n{header}", self.file)?;
        }
        writeln!(f, "[Unit]\nDescription=rc {}", percent(&self.file))?;
        writeln!(f, "Documentation=man:rc-generate-systemd(1)")?;
        for (key, first, more) in [
            ("Wants", Some("network-online.target"), &self.wants),
            ("After", Some("network-online.target"), &self.after),
            ("Requires", None, &self.requires),
        ] {
            let units: Vec<&str> = first.into_iter().chain(more.iter().map(String::as_str)).collect();
            if !units.is_empty() {
                writeln!(f, "{key}={}", units.join(" "))?;
            }
        }
        writeln!(f, "RequiresMountsFor={}", quoted(&percent(&self.store)))?;
        if let Some(burst) = self.restart.burst {
            writeln!(f, "StartLimitBurst={burst}")?;
        }
        writeln!(f, "\n[Service]")?;
        for variable in &self.environment {
            writeln!(f, "Environment={}", quoted(&percent(variable)))?;
        }
        let kind = if self.notifies { "notify\nNotifyAccess=all" } else { "exec" };
        writeln!(f, "Type={kind}\nDelegate=yes\nKillMode=mixed\nRestart={}", self.restart.policy)?;
        for (key, seconds) in [
            ("RestartSec", self.restart_sec),
            ("TimeoutStartSec", self.start_timeout),
            ("TimeoutStopSec", Some(self.stop_timeout)),
        ] {
            if let Some(seconds) = seconds {
                writeln!(f, "{key}={seconds}")?;
            }
        }
        writeln!(f, "SuccessExitStatus={}\nExecStart={}", self.killed, self.line(&self.start))?;
        for (key, words) in [("ExecStop", &self.stop), ("ExecStopPost", &self.after_stop)] {
            if let Some(words) = words {
                writeln!(f, "{key}={}", self.line(words))?;
            }
        }
        writeln!(f, "\n[Install]\nWantedBy=default.target")
    }
}

impl Unit {
    fn line(&self, words: &[String]) -> String {
        let word = |word: &String| {
            let escaped = percent(word).replace('$', "$$");
            // The instance; only rc writes it like this.
            let escaped = if self.is_template { escaped.replace("-%%i", "-%i") } else { escaped };
            quoted(&escaped)
        };
        words.iter().map(word).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests;
