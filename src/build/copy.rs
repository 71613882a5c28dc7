//! COPY and ADD of files, without a container: which files a source names (`listing`), and writing them onto the
//! files of a stage (`writer`). Every path is resolved beneath the root of its side, by descriptor: neither a context
//! nor an image leads to a file of the host (safety.md, B1, B4, B6).

mod attributes;
mod compared;
mod contents;
mod copied;
mod destination;
mod listing;
mod memo;
mod onto;
mod parallel;
mod pattern;
mod writer;

use std::io;

pub(crate) use compared::compared;
pub(crate) use copied::Former;
pub(crate) use destination::Destination;
pub(crate) use listing::{Ignore, ItemKind, Tree, find};
pub(crate) use memo::Memo;
pub(crate) use onto::Onto;
pub(crate) use writer::Writer;

use crate::storage::escape::Escaped;
use crate::sys::fs::plain;
use crate::types::{Report, ReportKind, Thing};

/// Why files cannot be copied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A source names nothing.
    #[error("`{}` is not there", Escaped(.path))]
    Missing {
        /// The source, as it was written.
        path: Vec<u8>,
        /// The line of the ignore file that leaves it out.
        ignored_by: Option<usize>,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} `{}`: {}", Escaped(.path), plain(.source))]
    File {
        /// What was tried.
        action: &'static str,
        /// The path, from the root of its side.
        path: Vec<u8>,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A directory cannot take the place of a file.
    #[error("cannot copy a directory to `{}`, which is not a directory", Escaped(.0))]
    NoDirectory(Vec<u8>),
    /// A file cannot take the place of a directory.
    #[error("cannot copy a file to `{}`, which is a directory", Escaped(.0))]
    IsDirectory(Vec<u8>),
    /// Several files need a directory.
    #[error("several files are copied, so the destination `{}` must end with `/`", Escaped(.0))]
    NeedsDirectory(Vec<u8>),
    /// A file was changed after it was hashed.
    #[error("`{}` was changed while it was copied", Escaped(.0))]
    Changed(Vec<u8>),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let (kind, hint) = match &error {
            Error::Missing { ignored_by: Some(line), .. } => (
                ReportKind::NotFound(Thing::File),
                Some(format!("it is there, but line {line} of the ignore file leaves it out")),
            ),
            Error::Missing { .. } => (ReportKind::NotFound(Thing::File), None),
            Error::File { source, .. } => (ReportKind::of_file(source), None),
            Error::NoDirectory(_) | Error::IsDirectory(_) | Error::NeedsDirectory(_) => (ReportKind::Conflict, None),
            Error::Changed(_) => (ReportKind::Conflict, Some("build again when nothing writes to it".to_owned())),
        };
        Self::new(kind, error.to_string()).with_hint_of(hint)
    }
}

fn failed<E: Into<io::Error>>(action: &'static str, path: &[u8]) -> impl FnOnce(E) -> Error {
    move |source| Error::File { action, path: path.to_vec(), source: source.into() }
}

impl Ignore for super::ignore::Ignore {
    fn ignored_by(&self, path: &[u8]) -> Option<usize> {
        Self::ignored_by(self, &String::from_utf8_lossy(path))
    }

    fn is_ignored_whole(&self, directory: &[u8]) -> bool {
        !self.may_see_below(&String::from_utf8_lossy(directory))
    }
}
