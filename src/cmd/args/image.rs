use std::path::PathBuf;
use std::time::Duration;

use super::{Secret, retry_delay};
use crate::plan::{PullPolicy, RegistryRequest};
use crate::registry::Platform;
use crate::types::Report;

/// The options of a pull.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PullArgs {
    /// Use ARCH instead of the host's architecture for choosing images
    #[arg(long, value_name = "ARCH", conflicts_with = "platform")]
    arch: Option<String>,
    /// Path of the authentication file (default: those of podman and docker)
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Directory of certificates for the registry (default: its directories in certs.d)
    #[arg(long, value_name = "DIR")]
    pub(crate) cert_dir: Option<PathBuf>,
    /// Credentials to use for accessing the registry: USER:PASSWORD
    #[arg(long, value_name = "CREDENTIALS")]
    pub(crate) creds: Option<Secret>,
    /// Skip image verification (accepted for compatibility: rc always verifies digests)
    #[arg(long)]
    disable_content_trust: bool,
    /// Use OS instead of the host's OS for choosing images
    #[arg(long, value_name = "OS", conflicts_with = "platform")]
    os: Option<String>,
    /// Specify the platform for selecting the image: OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Suppress output information when pulling images
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Number of times to retry in case of failure (default: 3)
    #[arg(long, value_name = "N")]
    pub(crate) retry: Option<u32>,
    /// Delay between retries, such as 2s or 500ms (default: 1s, doubled each time)
    #[arg(long, value_name = "DURATION", value_parser = retry_delay)]
    pub(crate) retry_delay: Option<Duration>,
    /// Require HTTPS and verify certificates when contacting registries (default: true, except for loopback)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) tls_verify: Option<bool>,
    /// Use VARIANT instead of the architecture's default variant for choosing images
    #[arg(long, value_name = "VARIANT", conflicts_with = "platform")]
    variant: Option<String>,
}

impl PullArgs {
    /// The platform that was asked for.
    pub(crate) fn platform(&self) -> Result<Option<Platform>, Report> {
        Ok(self.platform_text().map(|text| text.parse()).transpose()?)
    }

    /// The same as text; without `--platform`, its parts with the host's. An empty text counts as not given.
    pub(super) fn platform_text(&self) -> Option<String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        given(&self.platform).or_else(|| match (given(&self.os), given(&self.arch), given(&self.variant)) {
            (None, None, None) => None,
            (os, arch, variant) => Some(Platform::of(os.as_deref(), arch.as_deref(), variant.as_deref()).to_string()),
        })
    }

    /// How the registry is reached.
    pub(super) fn registry(&self) -> RegistryRequest {
        RegistryRequest {
            authfile: self.authfile.clone(),
            cert_dir: self.cert_dir.clone(),
            credentials: self.creds.as_ref().map(|Secret(text)| text.clone()),
            retries: self.retry,
            retry_delay_ms: self.retry_delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// Parses `--pull`: podman's words, and those of Kubernetes. Source: containers/common, `ParsePullPolicy`.
pub(in crate::cmd) fn pull_policy(text: &str) -> Result<PullPolicy, String> {
    match text {
        "always" | "Always" => Ok(PullPolicy::Always),
        "missing" | "Missing" | "ifmissing" | "ifMissing" | "ifnotpresent" | "IfNotPresent" => Ok(PullPolicy::Missing),
        "never" | "Never" => Ok(PullPolicy::Never),
        "newer" | "Newer" | "ifnewer" | "IfNewer" => Ok(PullPolicy::Newer),
        _ => Err("must be always, missing, never or newer".to_owned()),
    }
}
