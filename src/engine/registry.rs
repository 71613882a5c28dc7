//! Connections to registries for the use cases that need neither threads nor another process.

use std::path::PathBuf;

use super::context::Context;
use crate::registry::{Credentials, Notices, Options, Place, TlsVerify};
use crate::types::Report;

/// How to connect to a registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connection {
    /// Whether to verify certificates; `None`: except on loopback.
    pub(crate) tls_verify: Option<bool>,
    /// The only file with credentials.
    pub(crate) authfile: Option<PathBuf>,
    /// The directory of the registry's certificates.
    pub(crate) cert_dir: Option<PathBuf>,
    /// The credentials, instead of those in files.
    pub(crate) credentials: Option<Credentials>,
    /// Who hears that the registry keeps rc waiting.
    pub(crate) notices: Notices,
}

/// The options of a connection with these credentials.
pub(super) fn options(context: &Context, connection: &Connection, credentials: Option<Credentials>) -> Options {
    Options {
        tls_verify: tls_verify(connection.tls_verify),
        cert_dir: connection.cert_dir.clone(),
        credentials,
        places: context.places.clone(),
        notices: connection.notices.clone(),
        ..Options::default()
    }
}

/// The options of a connection with these credentials to a registry that is named itself, not by an image.
///
/// Fails with `Denied` if the configuration blocks it.
pub(super) fn options_for(
    context: &Context,
    registry: &str,
    connection: &Connection,
    credentials: Option<Credentials>,
) -> Result<Options, Report> {
    let is_insecure = context.registries.get()?.is_insecure(registry)?;
    let mut options = options(context, connection, credentials);
    if is_insecure && connection.tls_verify.is_none() {
        options.tls_verify = TlsVerify::Never;
    }
    Ok(options)
}

/// What must be verified at a place; an option of the command goes before the configuration.
pub(super) fn tls_verify_at(place: &Place, asked: Option<bool>) -> TlsVerify {
    if place.is_insecure && asked.is_none() { TlsVerify::Never } else { tls_verify(asked) }
}

/// What `--tls-verify` means.
fn tls_verify(asked: Option<bool>) -> TlsVerify {
    match asked {
        None => TlsVerify::Default,
        Some(true) => TlsVerify::Always,
        Some(false) => TlsVerify::Never,
    }
}
