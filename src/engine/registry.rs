//! Connections to registries for the use cases that need neither threads nor another process.

use std::path::PathBuf;

use super::context::Context;
use crate::registry::{Credentials, Notices, Options, Place, Registries, TlsVerify};
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

/// What the configuration says about registries.
pub(super) fn registries(context: &Context) -> Result<Registries, Report> {
    let (main, directories) = context.places.registries();
    Ok(Registries::read(main.as_deref(), &directories)?)
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
