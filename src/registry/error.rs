use crate::sys::fs::PathError;
use crate::types::{Digest, Report, ReportKind, Thing};

use super::manifest::Fault;

/// Why a request to a registry failed. Texts from a registry are cut to the length of a line, but not escaped: `ui`
/// does that.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No connection, or the name does not resolve.
    #[error("cannot reach `{host}`: {cause}")]
    Connect {
        /// Host and port.
        host: String,
        /// The innermost cause.
        cause: String,
    },
    /// The name does not resolve.
    #[error("cannot look up `{host}`: {cause}")]
    Lookup {
        /// The name, without a port: the registry's, or a proxy's.
        host: String,
        /// The reason.
        cause: String,
    },
    /// The server answered TLS in plain text.
    #[error("`{host}` speaks http, not https")]
    PlainHttp {
        /// Host and port.
        host: String,
    },
    /// The user name or the password is wrong.
    #[error("`{host}` refused the user name or the password{}", detail(.message))]
    Login {
        /// The registry or its token server.
        host: String,
        /// The registry's message; may be empty.
        message: String,
    },
    /// An answer is a web page: another server than the registry has sent it.
    #[error("`{host}` sent HTML, not JSON")]
    Html {
        /// Host and port.
        host: String,
    },
    /// The server's certificate was refused, or ours.
    #[error("cannot trust `{host}`: {cause}")]
    Certificate {
        /// Host and port.
        host: String,
        /// The verifier's error.
        cause: String,
    },
    /// An open connection broke before the answer was complete.
    #[error("the connection to `{host}` broke: {cause}")]
    Broken {
        /// Host and port.
        host: String,
        /// The innermost cause.
        cause: String,
    },
    /// The server accepts the connection and sends nothing, or almost nothing.
    #[error("`{host}` sent almost nothing for {seconds} seconds")]
    Stalled {
        /// Host and port.
        host: String,
        /// How long rc waited.
        seconds: u64,
    },
    /// A blob could not be fetched, however often rc tried.
    #[error("cannot fetch `{digest}`: {source}")]
    Blob {
        /// The blob.
        digest: Digest,
        /// The last failure, which names the registry.
        source: Box<Self>,
    },
    /// A blob could not be sent, however often rc tried.
    #[error("cannot send `{digest}`: {source}")]
    Upload {
        /// The blob.
        digest: Digest,
        /// The last failure, which names the registry.
        source: Box<Self>,
    },
    /// The content of a blob that was to be sent could not be read.
    #[error("cannot send `{digest}`: {}", crate::sys::fs::plain(.source))]
    Source {
        /// The blob.
        digest: Digest,
        /// The error of its reader.
        source: std::io::Error,
    },
    /// This process cannot wait for the network.
    #[error("cannot wait for the network: {}", crate::sys::fs::plain(.0))]
    Wait(std::io::Error),
    /// 404.
    #[error("`{subject}` not found in the registry")]
    NotFound {
        /// The manifest, blob or repository asked for.
        subject: String,
    },
    /// 401 or 403 although rc has sent the best credentials that it has.
    #[error("access to `{subject}` is denied{}", detail(.message))]
    Denied {
        /// The requested subject.
        subject: String,
        /// The registry's message; may be empty.
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
        /// The requested subject.
        subject: String,
        /// The registry's message; may be empty.
        message: String,
    },
    /// An answer longer than allowed.
    #[error("{what} from `{host}` has more than {limit} bytes")]
    TooLarge {
        /// The kind of answer: `manifest`, `token`.
        what: &'static str,
        /// Host and port.
        host: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A redirect that rc does not follow.
    #[error("refusing a redirect from `{from}` to `{to}`: {reason}")]
    Redirect {
        /// The origin that redirects.
        from: String,
        /// Its target.
        to: String,
        /// The rule.
        reason: &'static str,
    },
    /// A token server that rc refuses to ask.
    #[error("refusing to ask `{realm}` for a token for `{host}`: {reason}")]
    Realm {
        /// The token server.
        realm: String,
        /// The registry that named it.
        host: String,
        /// The rule.
        reason: &'static str,
    },
    /// The answer of a token server is not valid.
    #[error("`{realm}` sent no usable token: {reason}")]
    Token {
        /// The token server.
        realm: String,
        /// What is wrong.
        reason: String,
    },
    /// The registry asks for an authentication that rc does not support, or rc would have to send a password
    /// unencrypted.
    #[error("cannot authenticate to `{host}`: {reason}")]
    Challenge {
        /// Host and port.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// A manifest, index or configuration is invalid.
    #[error("`{subject}`: {fault}")]
    Manifest {
        /// Its reference or digest.
        subject: String,
        /// What is wrong.
        fault: Fault,
    },
    /// Content does not match its digest.
    #[error("`{expected}` arrived with digest `{actual}`")]
    Digest {
        /// The expected digest.
        expected: Digest,
        /// The digest of the content.
        actual: Digest,
    },
    /// Content is longer or shorter than its descriptor says.
    #[error("`{digest}` has {} than its declared {declared} bytes", if *.longer { "more" } else { "fewer" })]
    Size {
        /// The blob.
        digest: Digest,
        /// The descriptor's size, in bytes.
        declared: u64,
        /// Whether more bytes arrived, not fewer.
        longer: bool,
    },
    /// A Dockerfile names this host, or a link-local address.
    #[error("a Dockerfile cannot fetch from `{host}`, which is this host or a link-local address")]
    Near {
        /// Host and port.
        host: String,
    },
    /// What was fetched could not be written.
    #[error("cannot write what `{subject}` has sent: {}", crate::sys::fs::plain(.source))]
    Write {
        /// The URL.
        subject: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The credentials could not be determined.
    #[error(transparent)]
    Credentials(#[from] super::CredentialsError),
    /// A file of the user (a certificate) cannot be used.
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
            Error::Blob { source, .. } | Error::Upload { source, .. } => {
                return Self::from(*source).with_message(message);
            }
            Error::Manifest { fault, .. } => return Self::from(fault).with_message(message),
            Error::NotFound { .. } => ReportKind::NotFound(Thing::Image),
            Error::Denied { with_credentials: false, .. } => ReportKind::Unauthorized,
            Error::Denied { .. }
            | Error::Login { .. }
            | Error::Certificate { .. }
            | Error::Redirect { .. }
            | Error::Near { .. }
            | Error::Realm { .. } => ReportKind::Denied,
            Error::Connect { .. }
            | Error::Lookup { .. }
            | Error::PlainHttp { .. }
            | Error::Html { .. }
            | Error::Broken { .. }
            | Error::Status { .. } => ReportKind::Unavailable,
            Error::Wait(ref source) | Error::Source { ref source, .. } | Error::Write { ref source, .. } => {
                ReportKind::of_step(source)
            }
            Error::Challenge { .. } => ReportKind::Unsupported,
            Error::Stalled { .. } => ReportKind::TimedOut,
            Error::TooLarge { .. } | Error::Digest { .. } | Error::Size { .. } => ReportKind::Damaged,
            Error::Token { .. } | Error::Setup { .. } => ReportKind::Internal,
        };
        Self::new(kind, message).with_hint_of(error.hint())
    }
}

impl Error {
    /// How the user can fix it, if possible.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Blob { source, .. } | Self::Upload { source, .. } => source.hint(),
            Self::Certificate { host, .. } => Some(format!(
                "put the registry's CA into `~/.config/containers/certs.d/{host}/ca.crt`, or skip \
                 verification with `--tls-verify=false`"
            )),
            Self::Near { .. } => Some("if you trust the Dockerfile: `--allow network.host`".to_owned()),
            Self::PlainHttp { .. } => {
                Some("if the network is trusted, allow it with `--tls-verify=false`".to_owned())
            }
            Self::Html { .. } => Some(
                "a proxy or the login page of the network may have answered instead of a registry: open the address in \
                 a browser"
                    .to_owned(),
            ),
            Self::Denied { with_credentials: false, .. } => {
                Some("log in with `rc login`, or give credentials with `--creds USER:PASSWORD`".to_owned())
            }
            _ => None,
        }
    }

    /// Whether the same request may succeed if it is sent again at once.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Stalled { .. })
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// The innermost cause of an error: the outer ones of an HTTP stack only say that a request failed, and its URL.
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
