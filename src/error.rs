//! The edge: here every error becomes a message, a hint and an exit code, and nowhere else.
//!
//! Exit codes: 125 rc failed · 126 the program cannot be run · 127 the program was not found · 128 + n signal n killed
//! it · otherwise the program's own. An invalid command line is 125, too, as in podman. The failures for which one
//! command has another code are in [`own_code`].

use crate::types::{Report, ReportKind, Thing};

/// The exit code of a command that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// Everything was done.
    pub(crate) const SUCCESS: Self = Self(0);

    /// The exit code of a program, which is one byte.
    pub(crate) fn of_program(code: i32) -> Self {
        Self(u8::try_from(code & 0xff).unwrap_or(u8::MAX))
    }
}

/// An error for the user.
#[derive(Debug)]
pub(crate) struct Error {
    /// The message; `None` if everything has already been printed, or there is no reader.
    pub(crate) message: Option<String>,
    /// How to fix it.
    pub(crate) hint: Option<String>,
    /// What failed; several things if the command had several objects.
    kinds: Vec<ReportKind>,
}

impl Error {
    /// rc failed, for the reason in `message`.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), hint: None, kinds: vec![ReportKind::Invalid] }
    }

    /// Adds how to fix it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Everything has already been printed; only the exit code remains.
    pub(crate) fn said(kinds: impl IntoIterator<Item = ReportKind>) -> Self {
        Self { message: None, hint: None, kinds: kinds.into_iter().collect() }
    }

    /// What kind of failure it is; of several, the first.
    pub(crate) fn kind(&self) -> Option<ReportKind> {
        self.kinds.first().copied()
    }

    /// The same error for a front end that has reported it in its own way.
    pub(crate) fn into_said(self) -> Self {
        Self::said(self.kinds)
    }

    /// The exit code of `command`. Of several failures the worst counts, which has the highest code: 1 and 2 say that
    /// nothing else failed.
    pub(crate) fn exit_code(&self, command: &str) -> u8 {
        self.kinds.iter().map(|kind| own_code(command, *kind).unwrap_or_else(|| code(*kind))).max().unwrap_or(125)
    }
}

/// The exit code of a failure for which this command alone has one. Source: EXIT STATUS of podman-rm(1), podman-rmi(1),
/// podman-volume-rm(1), podman-network-rm(1) and
/// podman-pod-rm(1).
fn own_code(command: &str, kind: ReportKind) -> Option<u8> {
    match (command, kind) {
        ("rm", ReportKind::NotFound(Thing::Container))
        | ("rmi", ReportKind::NotFound(Thing::Image))
        | ("volume rm", ReportKind::NotFound(Thing::Volume))
        | ("network rm", ReportKind::NotFound(Thing::Network))
        | ("pod rm", ReportKind::NotFound(Thing::Pod)) => Some(1),
        // The container is running or paused; a container uses the image, the volume or the network.
        ("rm", ReportKind::Conflict) | ("rmi" | "volume rm" | "network rm", ReportKind::InUse) => Some(2),
        _ => None,
    }
}

/// The exit code of any other failure of this kind.
fn code(kind: ReportKind) -> u8 {
    match kind {
        ReportKind::MonitorKilled => 137,
        ReportKind::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        // A reader must not take partial output for all of it.
        ReportKind::OutputMissed(code) if code & 0xff != 0 => Exit::of_program(code).0,
        kind => kind.shell_code().unwrap_or(125),
    }
}

/// Every layer converts its own errors to reports, so this is the only conversion.
impl<E: Into<Report>> From<E> for Error {
    fn from(error: E) -> Self {
        let Report { kind, message, hint } = error.into();
        match kind {
            // The sender of the signal knows about it.
            ReportKind::Interrupted(_) => Self::said([kind]),
            _ => Self { message: Some(message), hint, kinds: vec![kind] },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_worst_failure_and_podman_s() {
        let no_container = ReportKind::NotFound(Thing::Container);
        let no_image = ReportKind::NotFound(Thing::Image);
        for (command, kinds, expected) in [
            ("rm", &[no_container][..], 1),
            ("rm", &[ReportKind::Conflict], 2),
            ("rm", &[no_container, ReportKind::Conflict], 2),
            ("rm", &[ReportKind::Internal, no_container], 125),
            ("rm", &[ReportKind::NotFound(Thing::File)], 125),
            ("rmi", &[no_image], 1),
            ("rmi", &[ReportKind::InUse, no_image], 2),
            ("rmi", &[ReportKind::Conflict], 125),
            ("rmi", &[no_image, ReportKind::Damaged], 125),
            ("volume rm", &[ReportKind::NotFound(Thing::Volume)], 1),
            ("volume rm", &[ReportKind::NotFound(Thing::Volume), ReportKind::InUse], 2),
            ("network rm", &[ReportKind::NotFound(Thing::Network)], 1),
            ("network rm", &[ReportKind::InUse], 2),
            ("network rm", &[ReportKind::Invalid], 125),
            ("pod rm", &[ReportKind::NotFound(Thing::Pod)], 1),
            ("pod rm", &[ReportKind::Conflict], 125),
            ("volume inspect", &[ReportKind::NotFound(Thing::Volume)], 125),
            ("stop", &[no_container], 125),
            ("inspect", &[no_image], 125),
            ("start", &[ReportKind::ProgramNotFound], 127),
            ("exec", &[ReportKind::ProgramNotExecutable], 126),
            ("exec", &[ReportKind::MonitorKilled], 137),
            ("ps", &[ReportKind::Interrupted(13)], 141),
            ("run", &[ReportKind::OutputMissed(3)], 3),
            ("run", &[ReportKind::OutputMissed(0)], 125),
        ] {
            assert_eq!(Error::said(kinds.iter().copied()).exit_code(command), expected, "{command} {kinds:?}");
        }
        assert_eq!(Error::new("wrong").exit_code("rm"), 125);
    }
}
