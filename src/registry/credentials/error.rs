use std::path::PathBuf;

use crate::sys::fs::PathError;
use crate::types::{Invalid, Report, ReportKind};

/// Why credentials could not be read or stored. No message shows a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
    /// A file is not an auth file.
    #[error("cannot read the auth file `{}`: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, without quoting it.
        reason: String,
    },
    /// A value, such as a helper's name, which could be a path or an option, is invalid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A helper is not installed.
    #[error("credential helper `docker-credential-{name}` is not installed")]
    NoHelper {
        /// Its name.
        name: String,
    },
    /// A helper cannot be started, or does not answer as the protocol requires.
    #[error("credential helper `docker-credential-{name}`: {reason}")]
    Helper {
        /// Its name.
        name: String,
        /// What went wrong.
        reason: String,
    },
    /// No variable says where to store credentials.
    #[error("there is no place for an auth file: neither $XDG_RUNTIME_DIR nor $HOME is set")]
    NoPlace,
}

impl From<CredentialsError> for Report {
    fn from(error: CredentialsError) -> Self {
        let kind = match error {
            CredentialsError::File(error) => return error.into(),
            CredentialsError::Invalid(error) => return error.into(),
            CredentialsError::Format { .. } => ReportKind::Invalid,
            CredentialsError::NoHelper { .. } | CredentialsError::Helper { .. } | CredentialsError::NoPlace => {
                ReportKind::Unavailable
            }
        };
        let hint = match &error {
            CredentialsError::NoPlace => Some("name a file: `--authfile FILE`".to_owned()),
            _ => None,
        };
        Self::new(kind, error.to_string()).with_hint_of(hint)
    }
}
