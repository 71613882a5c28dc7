use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::engine::Connection;
use crate::registry::Notices;
use crate::types::parse_duration;
use crate::ui;

/// The options of a connection to a registry.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RegistryArgs {
    /// Path of the authentication file (default: those of podman and docker)
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Directory of certificates for the registry (default: its directories in certs.d)
    #[arg(long, value_name = "DIR")]
    pub(crate) cert_dir: Option<PathBuf>,
    /// Require HTTPS and verify certificates when contacting registries (default: true, except for loopback)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) tls_verify: Option<bool>,
}

impl RegistryArgs {
    /// How to connect.
    pub(in crate::cmd) fn connection(&self) -> Connection {
        Connection {
            tls_verify: self.tls_verify,
            authfile: self.authfile.clone(),
            cert_dir: self.cert_dir.clone(),
            credentials: None,
            notices: Notices::to(|text| ui::warning(text)),
        }
    }
}

/// A secret on the command line, which no debug output shows.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// Parses `--retry-delay`: a duration of Go that is not negative.
pub(in crate::cmd) fn retry_delay(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "must be a number with a unit, such as 2s or 500ms".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_a_duration_of_go() {
        for (text, millis) in [("2s", 2000), ("500ms", 500), ("1m0.5s", 60_500), ("0s", 0)] {
            assert_eq!(retry_delay(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "2", "-1s", "soon"] {
            assert!(retry_delay(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret_of_the_command_line() {
        let secret: Secret = "hidden".parse().expect("any text");
        assert_eq!(format!("{secret:?}"), "Secret");
    }
}
