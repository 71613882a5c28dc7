use crate::sys::fs::PathError;
use crate::types::{Digest, Report, ReportKind, Thing};

use super::manifest::Fault;

/// Why something could not be fetched. Texts that come from a registry are cut to a line's length, not escaped: `ui`
/// does that.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No connection, or no name resolution.
    #[error("cannot reach `{host}`: {cause}")]
    Connect {
        /// Host and port.
        host: String,
        /// The innermost reason.
        cause: String,
    },
    /// The server's certificate was refused, or ours.
    #[error("cannot trust `{host}`: {cause}")]
    Certificate {
        /// Host and port.
        host: String,
        /// What the verifier found.
        cause: String,
    },
    /// A connection that was made broke before the answer was whole.
    #[error("the connection to `{host}` broke: {cause}")]
    Broken {
        /// Host and port.
        host: String,
        /// The innermost reason.
        cause: String,
    },
    /// The server is there and sends nothing, or almost nothing.
    #[error("`{host}` sent almost nothing for {seconds} seconds")]
    Stalled {
        /// Host and port.
        host: String,
        /// How long rc waited.
        seconds: u64,
    },
    /// 404.
    #[error("`{subject}` not found in the registry")]
    NotFound {
        /// The manifest, blob or repository asked for.
        subject: String,
    },
    /// 401 or 403 with the best credentials that rc has.
    #[error("access to `{subject}` is denied{}", detail(.message))]
    Denied {
        /// What was asked for.
        subject: String,
        /// What the registry says about it; may be empty.
        message: String,
        /// Whether credentials were sent.
        with_credentials: bool,
    },
    /// Any other status.
    #[error("`{host}` answered {status} for `{subject}`{}", detail(.message))]
    Status {
        /// Host and port.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        subject: String,
        /// What the registry says about it; may be empty.
        message: String,
    },
    /// An answer longer than its kind may be.
    #[error("{what} from `{host}` has more than {limit} bytes")]
    TooLarge {
        /// The kind of answer: `manifest`, `token`.
        what: &'static str,
        /// Host and port.
        host: String,
        /// The most it may have, in bytes.
        limit: u64,
    },
    /// A redirect that is not followed.
    #[error("refusing a redirect from `{from}` to `{to}`: {reason}")]
    Redirect {
        /// Who redirects.
        from: String,
        /// Where to.
        to: String,
        /// The rule.
        reason: &'static str,
    },
    /// A token server that gets nothing from us.
    #[error("refusing to ask `{realm}` for a token for `{host}`: {reason}")]
    Realm {
        /// The token server.
        realm: String,
        /// The registry that named it.
        host: String,
        /// The rule.
        reason: &'static str,
    },
    /// The answer of a token server makes no sense.
    #[error("`{realm}` gave no usable token: {reason}")]
    Token {
        /// The token server.
        realm: String,
        /// What is wrong.
        reason: String,
    },
    /// The registry asks for an authentication rc does not know, or would have to send a password in the open.
    #[error("cannot authenticate to `{host}`: {reason}")]
    Challenge {
        /// Host and port.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// A manifest, index or configuration that is refused.
    #[error("`{subject}`: {fault}")]
    Manifest {
        /// Its reference or digest.
        subject: String,
        /// What is wrong.
        fault: Fault,
    },
    /// Content that is not what its digest says.
    #[error("`{expected}` arrived with digest `{actual}`")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// Content that is longer or shorter than its descriptor says.
    #[error("`{digest}` has {} than its declared {declared} bytes", if *.longer { "more" } else { "fewer" })]
    Size {
        /// The blob.
        digest: Digest,
        /// The descriptor's size, in bytes.
        declared: u64,
        /// Whether more came, not fewer.
        longer: bool,
    },
    /// Credentials that cannot be found out.
    #[error(transparent)]
    Credentials(#[from] super::CredentialsError),
    /// A file of the user's own (certificates).
    #[error(transparent)]
    File(#[from] PathError),
    /// The HTTP client itself could not be set up.
    #[error("cannot set up a client for `{host}`: {cause}")]
    Setup {
        /// Host and port.
        host: String,
        /// The reason.
        cause: String,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let kind = match error {
            Error::Credentials(error) => return error.into(),
            Error::File(error) => return error.into(),
            Error::Manifest { fault, .. } => return Self::from(fault).with_message(message),
            Error::NotFound { .. } => ReportKind::NotFound(Thing::Image),
            Error::Denied { with_credentials: false, .. } => ReportKind::Unauthorized,
            Error::Denied { .. } | Error::Certificate { .. } | Error::Redirect { .. } | Error::Realm { .. } => {
                ReportKind::Denied
            }
            Error::Connect { .. } | Error::Broken { .. } | Error::Status { .. } => ReportKind::Unavailable,
            Error::Challenge { .. } => ReportKind::Unsupported,
            Error::Stalled { .. } => ReportKind::TimedOut,
            Error::TooLarge { .. } | Error::Digest { .. } | Error::Size { .. } => ReportKind::Damaged,
            Error::Token { .. } | Error::Setup { .. } => ReportKind::Internal,
        };
        Self::new(kind, message).with_hint_of(error.hint())
    }
}

impl Error {
    /// What the user can do about it, if anything.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Certificate { host, .. } => Some(format!(
                "put the registry's CA into `~/.config/containers/certs.d/{host}/ca.crt`, or skip \
                 verification with `--tls-verify=false`"
            )),
            Self::Denied { with_credentials: false, .. } => {
                Some("give credentials with `--creds USER:PASSWORD`, or in an auth file".to_owned())
            }
            _ => None,
        }
    }

    /// Whether the same request may succeed when it is sent again at once.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Stalled { .. })
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// The innermost cause of an error: the outer ones of an HTTP stack only say that a request failed, and where.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => crate::sys::fs::plain(error),
        None => error.to_string(),
    }
}
