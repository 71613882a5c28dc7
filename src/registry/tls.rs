use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Error, SMALL_LIMIT};
use crate::sys::fs;

/// What a registry must prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TlsVerify {
    /// A valid certificate; a registry on loopback may use plain http instead.
    #[default]
    Default,
    /// A valid certificate, even on loopback (`--tls-verify`).
    Always,
    /// Nothing: any certificate, or plain http (`--tls-verify=false`).
    Never,
}

/// The certificates that rc trusts, and those that it presents.
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    cert_dir: Option<PathBuf>,
    certs_d: Vec<PathBuf>,
    // Read when the first https connection is opened, not for plain http: parsing 140 certificates takes milliseconds.
    system: OnceLock<RootCertStore>,
}

impl Trust {
    /// `cert_dir` replaces the search in `certs_d`, whose directories contain one directory for each `HOST[:PORT]`.
    pub(super) fn new(cert_dir: Option<PathBuf>, certs_d: Vec<PathBuf>) -> Self {
        Self { provider: Arc::new(ring::default_provider()), cert_dir, certs_d, system: OnceLock::new() }
    }

    /// The configuration for one host: the system's certificates (`SSL_CERT_FILE`, `SSL_CERT_DIR`, `/etc/ssl/certs`)
    /// and the `*.crt` of the host's directory; rc presents the directory's `*.cert` with `*.key`. Source:
    /// containers-certs.d(5).
    ///
    /// Fails if a file of the directory cannot be read or contains no certificate: a misspelt name must be noticed.
    pub(super) fn config(&self, authority: &str, verified: bool) -> Result<ClientConfig, Error> {
        let setup = |cause: rustls::Error| Error::Setup { host: authority.to_owned(), cause: cause.to_string() };
        let directory = self.directory(authority);
        let files = directory.map(|directory| list(&directory)).transpose()?.unwrap_or_default();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(setup)?;
        let builder = if verified {
            let mut roots = self.system.get_or_init(system_roots).clone();
            let mut own = Vec::new();
            for path in files.iter().filter(|path| has_extension(path, "crt")) {
                for certificate in certificates(path, authority)? {
                    roots.add(certificate.clone()).map_err(|error| bad_file(path, authority, &error))?;
                    own.push(certificate);
                }
            }
            if own.is_empty() {
                builder.with_root_certificates(roots)
            } else {
                let provider = Arc::clone(&self.provider);
                let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
                let chains =
                    chains.map_err(|error| Error::Setup { host: authority.to_owned(), cause: error.to_string() })?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(OrOwn { chains, own }))
            }
        } else {
            let verifier = Arc::new(AcceptAny { provider: Arc::clone(&self.provider) });
            builder.dangerous().with_custom_certificate_verifier(verifier)
        };
        let Some(own) = files.iter().find(|path| has_extension(path, "cert")) else {
            return Ok(builder.with_no_client_auth());
        };
        let key_path = own.with_extension("key");
        let pem = fs::read_limited(&key_path, SMALL_LIMIT)?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| bad_file(&key_path, authority, &error))?;
        builder
            .with_client_auth_cert(certificates(own, authority)?, key)
            .map_err(|error| bad_file(own, authority, &error))
    }

    /// The first existing directory for `authority`; the host must be one path component (its grammar ensures that).
    fn directory(&self, authority: &str) -> Option<PathBuf> {
        let is_directory = |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
        match &self.cert_dir {
            Some(directory) => Some(directory.clone()),
            None => self.certs_d.iter().map(|directory| directory.join(authority)).find(is_directory),
        }
    }
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        paths.push(entry.map_err(|source| fs::PathError::new("list", directory, source))?.path());
    }
    paths.sort();
    Ok(paths)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn certificates(path: &Path, authority: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = fs::read_limited(path, SMALL_LIMIT)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(bad_file(path, authority, &"it contains no PEM certificate")),
        Ok(found) => Ok(found),
        Err(error) => Err(bad_file(path, authority, &error)),
    }
}

fn bad_file(path: &Path, authority: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::Setup { host: authority.to_owned(), cause: format!("`{}`: {cause}", path.display()) }
}

/// The system's certificates. Skips those that rustls cannot parse, as every TLS library does: a bundle may contain
/// unusual ones, and without any certificate every connection fails with an error about trust.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Whether a certificate was refused because it is an authority's, as `openssl req -x509` makes it: webpki accepts none
/// of these as the certificate of a server, and has no name for this error outside of itself.
pub(super) fn is_self_signed(cause: &CertificateError) -> bool {
    matches!(cause, CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity"))
}

/// Accepts what the trusted authorities signed, and a self-signed certificate that the user has put into the registry's
/// directory, if it is for the right name: docker and podman accept those, and docker's manual makes them.
#[derive(Debug)]
struct OrOwn {
    chains: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for OrOwn {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.chains.verify_server_cert(certificate, between, name, stapled, now) {
            // webpki has already checked the time.
            Err(rustls::Error::InvalidCertificate(cause))
                if is_self_signed(&cause) && self.own.iter().any(|own| own == certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// `--tls-verify=false`: accepts any certificate, but the server must have its key.
#[derive(Debug)]
struct AcceptAny {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
