//! `rc build`: how registries and other servers are reached.

use std::time::Duration;

use crate::cmd::args::{RegistryArgs, Secret, retry_delay};
use crate::engine::Push;
use crate::plan::RegistryRequest;
use crate::registry::Credentials;
use crate::types::Report;

/// Options for registries, and for what is fetched by URL.
#[derive(Debug, Default, clap::Args)]
pub(super) struct TransferArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Credentials to use for accessing the registry: USER:PASSWORD
    #[arg(long, value_name = "CREDENTIALS")]
    creds: Option<Secret>,
    /// Number of times to retry in case of failure (default: 3)
    #[arg(long, value_name = "N")]
    retry: Option<u32>,
    /// Delay between retries, such as 2s or 500ms (default: 1s, doubled each time)
    #[arg(long, value_name = "DURATION", value_parser = retry_delay)]
    retry_delay: Option<Duration>,
}

impl TransferArgs {
    /// Whether certificates are verified.
    pub(super) fn tls_verify(&self) -> Option<bool> {
        self.registry.tls_verify
    }

    /// How base images are pulled, and caches reached.
    pub(super) fn request(&self) -> RegistryRequest {
        RegistryRequest {
            authfile: self.registry.authfile.clone(),
            cert_dir: self.registry.cert_dir.clone(),
            credentials: self.creds.as_ref().map(|Secret(text)| text.clone()),
            retries: self.retry,
            retry_delay_ms: self.retry_delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// How the result is pushed.
    pub(super) fn push(&self) -> Result<Push, Report> {
        Ok(Push {
            connection: self.registry.connection(),
            credentials: self.creds.as_ref().map(|Secret(text)| Credentials::parse(text)).transpose()?,
            retries: self.retry,
            retry_delay: self.retry_delay,
            ..Push::default()
        })
    }
}
