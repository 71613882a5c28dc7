use crate::registry::manifest::Fault;
use crate::storage;
use crate::sys::fs::{PathError, plain};
use crate::types::{Digest, ImageReference, Invalid, Report, ReportKind, Thing};

/// Why something could not be done with an image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The store.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A file of the user's.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A value is not what it has to be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// No image has this name or id.
    #[error("no such image: {}", .name.escape_debug())]
    NotFound {
        /// What was asked for.
        name: String,
    },
    /// Several images have an id that begins so.
    #[error("`{prefix}` matches several image IDs")]
    Ambiguous {
        /// What was asked for.
        prefix: String,
    },
    /// An image in the store is damaged.
    #[error("image `{manifest}` is damaged: {source}")]
    Damaged {
        /// The digest of its manifest.
        manifest: Digest,
        /// What is wrong.
        source: Box<Fault>,
    },
    /// An image is still in use.
    #[error("image `{}` is in use by container `{container}`", .name.escape_debug())]
    InUse {
        /// The image, as it was named.
        name: String,
        /// A container that uses it.
        container: String,
    },
    /// An image was to be removed by its id, and has several names.
    #[error(
        "image `{}` has several names: {}",
        .id.short(), .names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    SeveralNames {
        /// The id.
        id: Digest,
        /// Its names.
        names: Vec<ImageReference>,
    },
    /// An archive could not be read.
    #[error("cannot read the archive: {}", plain(.source))]
    Read {
        /// Why.
        source: std::io::Error,
    },
    /// An archive could not be written.
    #[error("cannot write the archive: {}", plain(.source))]
    Write {
        /// Why.
        source: std::io::Error,
    },
    /// The outer archive is no tar archive, or damaged.
    #[error(transparent)]
    Tar(#[from] storage::tar::Error),
    /// An archive holds no image that rc knows.
    #[error(
        "the archive holds no image: it has neither `manifest.json` (docker-archive) nor `index.json` (oci-archive)"
    )]
    NoImage,
    /// A file that an archive names is not in it.
    #[error("the archive has no file `{}`, which its `{document}` names", .name.escape_debug())]
    Missing {
        /// The file.
        name: String,
        /// What names it.
        document: &'static str,
    },
    /// A document in an archive is refused.
    #[error("the archive's image is refused: {source}")]
    Refused {
        /// Why.
        source: Box<Fault>,
    },
    /// A document in an archive does not parse, or is too large.
    #[error("the archive's `{}` is damaged: {reason}", .name.escape_debug())]
    Document {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An archive was to be written to a terminal.
    #[error("refusing to write an archive to a terminal")]
    Terminal,
    /// `--change` has an instruction that it cannot have.
    #[error("`--change` cannot take `{}`: {reason}", .instruction.escape_debug())]
    Change {
        /// The instruction.
        instruction: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let kind = match error {
            Error::Storage(error) => return error.into(),
            Error::Path(error) => return error.into(),
            Error::Invalid(error) => return error.into(),
            Error::Tar(error) => return error.into(),
            Error::NotFound { .. } => ReportKind::NotFound(Thing::Image),
            Error::Damaged { .. } | Error::Missing { .. } | Error::Document { .. } => ReportKind::Damaged,
            Error::InUse { .. } => ReportKind::InUse,
            Error::SeveralNames { .. } => ReportKind::Conflict,
            Error::Read { ref source } | Error::Write { ref source } => ReportKind::of_step(source),
            Error::Refused { source } => return Self::from(*source).with_message(message),
            Error::Ambiguous { .. } | Error::NoImage | Error::Terminal | Error::Change { .. } => ReportKind::Invalid,
        };
        Self::new(kind, message).with_hint_of(error.hint())
    }
}

impl Error {
    /// Whether an image of the store is not what it was when it came, so that it has to be fetched again.
    pub(crate) fn is_damage(&self) -> bool {
        use storage::Error as E;
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Storage(E::DamagedBlob { .. } | E::NoBlob { .. } | E::TooLarge { .. } | E::SizeMismatch { .. })
        )
    }

    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Storage(error) => error.hint(),
            Self::SeveralNames { .. } => Some("remove one of the names, or all with `--force`".to_owned()),
            Self::InUse { container, .. } => Some(format!("remove the container first: `rc rm {container}`")),
            Self::Terminal => Some("name a file: `--output FILE`, or use `>`".to_owned()),
            Self::Damaged { .. } => Some("pull the image again".to_owned()),
            _ => None,
        }
    }
}
