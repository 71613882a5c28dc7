//! Options of the connection to a registry.

use std::path::PathBuf;
use std::time::Duration;

use super::{Credentials, Notices, Places, TlsVerify};

/// How to connect to a registry.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// What the registry must prove.
    pub(crate) tls_verify: TlsVerify,
    /// A directory of certificates in place of `certs.d` (`--cert-dir`).
    pub(crate) cert_dir: Option<PathBuf>,
    /// The credentials; see [`Credentials::find`].
    pub(crate) credentials: Option<Credentials>,
    /// The places of certificates.
    pub(crate) places: Places,
    /// How often a request is repeated after 429, 5xx or a broken connection.
    pub(crate) retries: u32,
    /// The waits before that.
    pub(crate) backoff: Backoff,
    /// How long a server may send almost nothing.
    pub(crate) stall: Duration,
    /// Who hears that a server keeps rc waiting.
    pub(crate) notices: Notices,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls_verify: TlsVerify::Default,
            cert_dir: None,
            credentials: None,
            places: Places::from_env(),
            retries: 3,
            backoff: Backoff::Doubling(Duration::from_secs(1)),
            stall: Duration::from_secs(60),
            notices: Notices::default(),
        }
    }
}

/// How long to wait before a request is repeated, if the server does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backoff {
    /// This, then twice as long, then four times.
    Doubling(Duration),
    /// Always this long (`--retry-delay`).
    Fixed(Duration),
}

impl Backoff {
    /// The wait before the attempt after `attempt` failed ones.
    pub(super) fn after(self, attempt: u32) -> Duration {
        match self {
            Self::Doubling(first) => first.saturating_mul(2_u32.saturating_pow(attempt)),
            Self::Fixed(wait) => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_that_was_asked_for_does_not_grow() {
        let (usual, fixed) = (Backoff::Doubling(Duration::from_secs(1)), Backoff::Fixed(Duration::from_secs(2)));
        assert_eq!([0, 1, 2, 3].map(|attempt| usual.after(attempt).as_secs()), [1, 2, 4, 8]);
        assert_eq!([0, 1, 2, 3].map(|attempt| fixed.after(attempt).as_secs()), [2, 2, 2, 2]);
        assert!(usual.after(u32::MAX) > fixed.after(u32::MAX));
    }
}
