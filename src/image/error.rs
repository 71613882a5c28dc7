use super::trust;
use crate::registry::RegistriesError;
use crate::registry::manifest::Fault;
use crate::storage;
use crate::sys::fs::{PathError, plain};
use crate::types::{Digest, ImageReference, Invalid, Report, ReportKind, Thing};

/// Why an operation on an image failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An operation on the store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// An operation on a file of the user failed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A value is invalid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The configuration of registries, which says what short names stand for, cannot be used.
    #[error(transparent)]
    Registries(#[from] RegistriesError),
    /// The policy does not let an image in.
    #[error(transparent)]
    Trust(#[from] trust::Error),
    /// An image is for another platform than the requested one.
    #[error("image `{}` is for {found}, not for {wanted}", .name.escape_debug())]
    Platform {
        /// The image, by the name that the user gave.
        name: String,
        /// The requested platform.
        wanted: String,
        /// The platform in its configuration.
        found: String,
    },
    /// No image has this name or ID.
    #[error("no such image: {}", .name.escape_debug())]
    NotFound {
        /// The name or ID.
        name: String,
    },
    /// No list of images has this name.
    #[error("no such list of images: {}", .name.escape_debug())]
    NoList {
        /// The name.
        name: String,
    },
    /// The prefix of an ID matches several images.
    #[error("`{prefix}` matches several image IDs")]
    Ambiguous {
        /// The prefix.
        prefix: String,
    },
    /// An image in the store is damaged.
    #[error("image `{manifest}` is damaged: {source}")]
    Damaged {
        /// The digest of its manifest.
        manifest: Digest,
        /// What is damaged.
        source: Box<Fault>,
    },
    /// An image is still in use.
    #[error("image `{}` is in use by container `{container}`", .name.escape_debug())]
    InUse {
        /// The image, by the name that the user gave.
        name: String,
        /// A container that uses it.
        container: String,
    },
    /// An image that was to be removed by its ID has several names.
    #[error(
        "image `{}` has several names: {}",
        .id.short(), .names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    SeveralNames {
        /// The ID.
        id: Digest,
        /// Its names.
        names: Vec<ImageReference>,
    },
    /// An archive could not be read.
    #[error("cannot read the archive: {}", plain(.source))]
    Read {
        /// The cause.
        source: std::io::Error,
    },
    /// An archive could not be written.
    #[error("cannot write the archive: {}", plain(.source))]
    Write {
        /// The cause.
        source: std::io::Error,
    },
    /// The outer archive is not a tar archive, or is damaged.
    #[error(transparent)]
    Tar(#[from] storage::tar::Error),
    /// A file is something else than an archive.
    #[error("not an archive: {what}")]
    NotArchive {
        /// What it is.
        what: &'static str,
    },
    /// An archive or a directory has no image in a format that rc knows.
    #[error("no image found: there is neither `manifest.json` (docker-archive) nor `index.json` (oci-archive)")]
    NoImage {
        /// It has the files of a root file system.
        is_filesystem: bool,
    },
    /// An archive has more names than any archive of images.
    #[error("the archive has too many files or links for one of images")]
    TooManyNames,
    /// An archive or a directory has no image of this name.
    #[error("the archive has no image `{}`", .name.escape_debug())]
    NotInArchive {
        /// The name.
        name: String,
    },
    /// An archive does not have a file that it names.
    #[error("the archive has no file `{}`, which its `{document}` names", .name.escape_debug())]
    Missing {
        /// The file.
        name: String,
        /// The document that names it.
        document: &'static str,
    },
    /// A document in an archive is invalid.
    #[error("the archive's image is refused: {source}")]
    Refused {
        /// The cause.
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
    /// A format has room for one image, and several were given.
    #[error("a directory of this format holds one image")]
    OneImage,
    /// Layers were to be compressed, and one is not.
    #[error("layer `{layer}` is not compressed, and `save` writes layers as they are in the store")]
    Uncompressed {
        /// The digest of its blob.
        layer: Digest,
    },
    /// An instruction is not allowed in `--change`.
    #[error("`--change` cannot take `{}`: {reason}", .instruction.escape_debug())]
    Change {
        /// The instruction.
        instruction: String,
        /// Why not.
        reason: String,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let kind = match error {
            Error::Storage(error) => return error.into(),
            Error::Path(error) => return error.into(),
            Error::Invalid(error) => return error.into(),
            Error::Registries(error) => return error.into(),
            Error::Tar(error) => return error.into(),
            Error::Trust(error) => return error.into(),
            Error::NotFound { .. } | Error::NoList { .. } | Error::NotInArchive { .. } | Error::Platform { .. } => {
                ReportKind::NotFound(Thing::Image)
            }
            Error::Damaged { .. } | Error::Missing { .. } | Error::Document { .. } => ReportKind::Damaged,
            Error::InUse { .. } => ReportKind::InUse,
            Error::Uncompressed { .. } => ReportKind::Unsupported,
            Error::SeveralNames { .. } => ReportKind::Conflict,
            Error::Read { ref source } | Error::Write { ref source } => ReportKind::of_step(source),
            Error::Refused { source } => return Self::from(*source).with_message(message),
            Error::Ambiguous { .. }
            | Error::NoImage { .. }
            | Error::NotArchive { .. }
            | Error::TooManyNames
            | Error::Terminal
            | Error::OneImage
            | Error::Change { .. } => ReportKind::Invalid,
        };
        Self::new(kind, message).with_hint_of(error.hint())
    }
}

impl Error {
    /// Whether an image in the store is damaged, so that it must be pulled again.
    pub(crate) fn is_damage(&self) -> bool {
        use storage::Error as E;
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Storage(E::DamagedBlob { .. } | E::NoBlob { .. } | E::TooLarge { .. } | E::SizeMismatch { .. })
        )
    }

    /// How the user can fix it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Storage(error) => error.hint(),
            Self::SeveralNames { .. } => Some("remove one of the names, or all with `--force`".to_owned()),
            Self::InUse { container, .. } => Some(format!("remove the container first: `rc rm {container}`")),
            Self::NoImage { is_filesystem: true } => {
                Some("it has the files of a root file system: `rc import` makes an image of them".to_owned())
            }
            Self::Terminal => Some("name a file: `--output FILE`, or use `>`".to_owned()),
            Self::OneImage => Some("use `--format oci-dir`, or one directory for each image".to_owned()),
            Self::Uncompressed { .. } => Some("`rc push` compresses layers".to_owned()),
            Self::NoList { .. } => Some("make one with `rc manifest create`".to_owned()),
            Self::Damaged { .. } => Some("pull the image again".to_owned()),
            Self::Platform { name, wanted, .. } => {
                Some(format!("pull it for that platform: `rc pull --platform {wanted} {name}`"))
            }
            _ => None,
        }
    }
}
