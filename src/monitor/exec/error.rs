//! Why exec has not started a program.

use crate::runtime;
use crate::types::{Report, ReportKind};

/// Why exec could not begin.
#[derive(Debug, thiserror::Error)]
pub(in crate::monitor) enum Error {
    #[error("exec came without its descriptors")]
    Descriptors,
    #[error("the container's program has ended")]
    Ended,
    #[error("cannot reserve a descriptor: {}", crate::sys::fs::plain(.0))]
    NoRoom(std::io::Error),
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Runtime(error) => return error.into(),
            Error::Descriptors => ReportKind::Invalid,
            Error::Ended => ReportKind::Conflict,
            Error::NoRoom(ref source) => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string())
    }
}
