//! The messages between commands and a container's monitor, over its control socket `ctl` and over the socket between
//! `rc run` and the monitor that it forks. Each message is one packet: a byte with the protocol's version, then JSON.
//!
//! ```text
//! attach   + stdin source?, stdout sink?, stderr sink?   → attached … exited
//! exec     + descriptors 0, 1, 2 (not with a terminal)…  → terminal + its controlling side?, started … exited
//! begin                                                  → started, if the container is initialized
//! undo                                                   → done, if the container is initialized; it ends
//! stop, signal, pause, unpause, update, network          → done
//! renamed                                                → done
//! check                                                  → checked
//! wait                                                   → exited, at the end of the run
//! resize, detach, close-output                           (no answer)
//! join                                                   → done; the end of the connection is the member's
//! rejoin                                                 → done: the pod of this container runs again
//! any                                                    → failed
//! ```
//!
//! If a monitor cannot read a request, it answers `failed`. Version 1.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::record::HealthStatus;
use crate::plan::{Changes, NetworkChange};
use crate::sys::socket;
use crate::types::{Report, ReportKind, Signal, json};

/// The protocol version of this rc.
pub(crate) const VERSION: u8 = 1;

/// The longest message in bytes: large enough for a command line with its environment.
const LIMIT: usize = 192 * 1024;

/// A request of a command.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// Attaches to the program's streams; a descriptor comes with it for each that is true, in this order.
    Attach {
        /// The program's input.
        stdin: bool,
        /// Standard output, or the terminal's.
        stdout: bool,
        /// Standard error; never with a terminal.
        stderr: bool,
        /// The terminal's rows and columns.
        size: Option<(u16, u16)>,
    },
    /// Has the program of an initialized container run. It may come after `attach`.
    Begin,
    /// Ends a container that is initialized, and only that: it is refused once a command has the program run.
    Undo,
    /// Runs another program in the container.
    Exec(Box<Exec>),
    /// Sends a signal to the program.
    Signal {
        /// Which.
        signal: Signal,
    },
    /// Sends the stop signal, and SIGKILL after the timeout.
    Stop {
        /// Which, if not the container's own.
        signal: Option<Signal>,
        /// Seconds, if not the container's own; 0 kills at once.
        timeout: Option<u32>,
    },
    /// Freezes all processes.
    Pause,
    /// Thaws them.
    Unpause,
    /// Runs a health check, or waits for the one that is being run.
    Check,
    /// Changes limits and the restart policy: everything in it, or nothing.
    Update(Box<Changes>),
    /// Connects the container to a network, or disconnects it.
    Network(Box<NetworkChange>),
    /// The container has another name, which is in its directory.
    Renamed,
    /// Asks for an event when the program has ended, even if it is restarted.
    Wait,
    /// It is the monitor of a container in this pod, as long as it is connected.
    Join {
        /// The names of the container that `/etc/hosts` of the pod has meanwhile. It says so again if they change.
        names: Vec<String>,
    },
    /// The pod that the container is in was started again, after an end that it had recorded.
    Rejoin,
    /// The size of the client's terminal has changed.
    Resize {
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    },
    /// Detaches from the streams.
    Detach,
    /// The client's standard output or error is no longer read. If the output goes nowhere else, the program must
    /// notice.
    CloseOutput {
        /// Which of the two.
        stderr: bool,
    },
}

/// The program of an exec.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Exec {
    /// The process, complete: command, environment, user by name or number, directory, capabilities.
    pub(crate) process: oci_spec::runtime::Process,
    /// The size of its terminal, if it gets one.
    pub(crate) size: Option<(u16, u16)>,
    /// The numbers of further descriptors, above 2, which come after the standard ones.
    #[serde(default)]
    pub(crate) descriptors: Vec<i32>,
}

/// An answer or an event from a monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// The program runs.
    Started {
        /// Its PID on the host.
        pid: i32,
    },
    /// The container is prepared, and its program waits for [`Ask::Begin`].
    Initialized,
    /// The client is attached to the streams.
    Attached,
    /// The controlling side of the program's terminal comes with this.
    Terminal,
    /// The request was carried out.
    Done,
    /// A health check has ended.
    Checked {
        /// It has passed.
        passed: bool,
        /// The health of the container.
        status: HealthStatus,
    },
    /// The request has failed.
    Failed(#[serde(deserialize_with = "failure_of_any_version")] Report),
    /// The program has ended.
    Exited {
        /// 128 + n for signal n.
        code: i32,
        /// Bytes of output that this client has missed because it did not read, and that no note has reported.
        #[serde(default, skip_serializing_if = "is_zero")]
        missed: u64,
    },
}

/// A monitor of an rc before reports sends the command's exit code in place of the kind.
fn failure_of_any_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Report, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Report(Report),
        WithCode { code: u8, message: String, hint: Option<String> },
    }
    Ok(match Told::deserialize(deserializer)? {
        Told::Report(report) => report,
        Told::WithCode { code, message, hint } => {
            let kind = match code {
                126 => ReportKind::ProgramNotExecutable,
                127 => ReportKind::ProgramNotFound,
                _ => ReportKind::Internal,
            };
            Report::new(kind, message).with_hint_of(hint)
        }
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Sends a request or an event.
pub(crate) fn send(socket: BorrowedFd<'_>, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, message)?;
    if bytes.len() > LIMIT {
        return Err(io::Error::from_raw_os_error(libc::E2BIG));
    }
    socket::send(socket, &bytes, descriptors)
}

/// Receives a request or an event with its descriptors; `None` if the other side has closed.
///
/// Fails with `InvalidData` for a message that this version cannot read.
pub(crate) fn receive<T: DeserializeOwned>(socket: impl AsFd) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let Some(received) = socket::receive(socket, LIMIT)? else { return Ok(None) };
    match received.bytes.as_slice() {
        // Later versions may add messages and fields, but never change the meaning of existing ones.
        [_, json @ ..] => Ok(Some((json::from_slice(json)?, received.descriptors))),
        [] => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Thing;

    #[test]
    fn a_failure_is_read_as_this_rc_and_as_one_of_before_says_it() {
        let report = Report::new(ReportKind::NotFound(Thing::Volume), "no such volume: x").with_hint("make it");
        let event = Event::Failed(report);
        let written = serde_json::to_string(&event).expect("JSON");
        let expected = r#"{"failed":{"kind":{"not-found":"volume"},"message":"no such volume: x","hint":"make it"}}"#;
        assert_eq!(written, expected);
        assert_eq!(json::from_str::<Event>(&written).expect("an event"), event);
        for (code, kind) in
            [(125, ReportKind::Internal), (126, ReportKind::ProgramNotExecutable), (127, ReportKind::ProgramNotFound)]
        {
            for (word, hint) in [("null", None), ("\"so\"", Some("so".to_owned()))] {
                let before = format!(r#"{{"failed":{{"code":{code},"message":"it failed","hint":{word}}}}}"#);
                let read = json::from_str::<Event>(&before).expect("an event");
                assert_eq!(read, Event::Failed(Report::new(kind, "it failed").with_hint_of(hint)));
            }
        }
    }

    #[test]
    fn a_failure_of_a_kind_that_a_later_rc_adds_is_read() {
        let later = r#"{"failed":{"kind":{"quarantined":1},"message":"it failed","place":"x"}}"#;
        let read = json::from_str::<Event>(later).expect("an event");
        assert_eq!(read, Event::Failed(Report::new(ReportKind::Internal, "it failed")));
    }
}
