//! What a service manager learns about a container (`--sdnotify`, `--pidfile`, `--conmon-pidfile`), and what it passes
//! to the program.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, ServiceRequest};
use crate::types::{Invalid, host_path};

/// What a service manager learns, as it is saved in `config.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Service {
    /// Who says that the service is ready.
    pub(crate) sdnotify: Sdnotify,
    /// Where the pid of the program (of init, with `--init`) is written, absolute.
    #[serde(with = "host_path::optional")]
    pub(crate) pidfile: Option<PathBuf>,
    /// Where the pid of the monitor is written, absolute.
    #[serde(with = "host_path::optional")]
    pub(crate) conmon_pidfile: Option<PathBuf>,
}

/// Who tells the manager behind `NOTIFY_SOCKET` that the service is ready. Source: podman-run(1), `--sdnotify`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sdnotify {
    /// The program, through a socket of its own.
    #[default]
    Container,
    /// rc, as soon as the program runs.
    Conmon,
    /// The monitor, as soon as the container is healthy.
    Healthy,
    /// Neither.
    Ignore,
}

/// What the manager passes to the program at this start, as the program sees it. Source: sd_notify(3),
/// sd_watchdog_enabled(3), sd_listen_fds(3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Handed {
    /// `NOTIFY_SOCKET`: the container's directory has a socket `notify.sock`.
    pub(crate) notify_socket: bool,
    /// `WATCHDOG_USEC`.
    pub(crate) watchdog_usec: Option<u64>,
    /// `LISTEN_FDS`: how many descriptors from 3 on are listening sockets.
    pub(crate) listen_fds: usize,
    /// `LISTEN_FDNAMES`.
    pub(crate) listen_names: Option<String>,
}

/// The file in the container's directory, and the place where the program sees it.
pub(crate) const NOTIFY_FILE: &str = "notify.sock";
/// See [`NOTIFY_FILE`]; the place is runc's.
pub(super) const NOTIFY_PLACE: &str = "/run/notify/notify.sock";

impl Handed {
    /// The variables for the program. Its PID is 1, or 2 with `--init`, which forks nothing before it.
    pub(super) fn environment(&self, init: bool) -> Vec<String> {
        let pid = if init { 2 } else { 1 };
        let mut env = Vec::new();
        if self.notify_socket {
            env.push(format!("NOTIFY_SOCKET={NOTIFY_PLACE}"));
            if let Some(microseconds) = self.watchdog_usec {
                env.extend([format!("WATCHDOG_USEC={microseconds}"), format!("WATCHDOG_PID={pid}")]);
            }
        }
        if self.listen_fds > 0 {
            env.extend([format!("LISTEN_FDS={}", self.listen_fds), format!("LISTEN_PID={pid}")]);
            env.extend(self.listen_names.iter().map(|names| format!("LISTEN_FDNAMES={names}")));
        }
        env
    }
}

/// Completes the request; relative paths start at the caller's directory.
pub(super) fn service(request: &ServiceRequest, working_dir: &Path) -> Result<Service, Error> {
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(|path| working_dir.join(path));
    Ok(Service {
        sdnotify: request.sdnotify.as_deref().map_or(Ok(Sdnotify::default()), sdnotify)?,
        pidfile: absolute(&request.pidfile),
        conmon_pidfile: absolute(&request.conmon_pidfile),
    })
}

fn sdnotify(text: &str) -> Result<Sdnotify, Error> {
    let invalid = |reason| Err(Error::option("--sdnotify")(Invalid::new("mode", text, reason)));
    match text {
        "container" => Ok(Sdnotify::Container),
        "conmon" => Ok(Sdnotify::Conmon),
        "ignore" => Ok(Sdnotify::Ignore),
        "healthy" => Ok(Sdnotify::Healthy),
        _ => invalid("must be `container`, `conmon`, `healthy` or `ignore`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_podmans() {
        let read = |text: &str| sdnotify(text).map_err(|error| error.to_string());
        assert_eq!(read("container"), Ok(Sdnotify::Container));
        assert_eq!(read("conmon"), Ok(Sdnotify::Conmon));
        assert_eq!(read("ignore"), Ok(Sdnotify::Ignore));
        assert_eq!(read("healthy"), Ok(Sdnotify::Healthy));
        assert!(read("").is_err() && read("Container").is_err());
    }

    #[test]
    fn the_program_is_told_its_own_pid_and_only_of_what_there_is() {
        assert!(Handed::default().environment(false).is_empty());
        let handed = Handed {
            notify_socket: true,
            watchdog_usec: Some(5),
            listen_fds: 2,
            listen_names: Some("http:admin".to_owned()),
        };
        assert_eq!(
            handed.environment(true),
            [
                "NOTIFY_SOCKET=/run/notify/notify.sock",
                "WATCHDOG_USEC=5",
                "WATCHDOG_PID=2",
                "LISTEN_FDS=2",
                "LISTEN_PID=2",
                "LISTEN_FDNAMES=http:admin"
            ]
        );
        let silent = Handed { notify_socket: false, listen_names: None, ..handed };
        assert_eq!(silent.environment(false), ["LISTEN_FDS=2", "LISTEN_PID=1"]);
    }

    #[test]
    fn pid_files_start_at_the_callers_directory() {
        let request = ServiceRequest {
            pidfile: Some("a.pid".into()),
            conmon_pidfile: Some("/run/b.pid".into()),
            ..ServiceRequest::default()
        };
        let service = service(&request, Path::new("/srv")).unwrap();
        assert_eq!(service.pidfile, Some("/srv/a.pid".into()));
        assert_eq!(service.conmon_pidfile, Some("/run/b.pid".into()));
    }
}
