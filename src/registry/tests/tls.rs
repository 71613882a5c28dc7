//! Certificates: R1, R2, R3.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;

use super::super::{Credentials, TlsVerify};
use super::*;
use crate::sys::fs;

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for `name`, valid until the end of `year`, and its key.
    fn issue(&self, name: &str, year: i32) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        (params.signed_by(&key, &self.issuer).expect("a certificate"), key)
    }

    fn server(&self, name: &str, year: i32) -> ServerConfig {
        let (certificate, key) = self.issue(name, year);
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a configuration")
    }

    fn directory(&self) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("ca.crt"), &self.pem).expect("a file");
        directory
    }
}

fn trusting(server: &TestServer, directory: &Path, tls_verify: TlsVerify) -> Client {
    let options = Options { tls_verify, cert_dir: Some(directory.to_owned()), ..options() };
    Client::new(&reference(server, "app:1"), options).expect("a client")
}

#[tokio::test]
async fn certificates_are_verified() {
    // R3: each fault has a message of its own, and none is a reason to fall back to http, even on loopback.
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let directory = ours.directory();
    for (tls, reason) in [
        (ours.server("127.0.0.1", 2100), ""),
        (ours.server("127.0.0.1", 2001), "has expired"),
        (ours.server("registry.example.com", 2100), "for another name"),
        (other.server("127.0.0.1", 2100), "an authority that this system does not know"),
    ] {
        let server = TestServer::start_tls(tls, |_| Reply::ok("{}"));
        for verify in [TlsVerify::Default, TlsVerify::Always, TlsVerify::Never] {
            let client = trusting(&server, directory.path(), verify);
            let outcome = client.manifest(&reference(&server, "app:1")).await;
            if reason.is_empty() || verify == TlsVerify::Never {
                assert_eq!(outcome.expect("a manifest").bytes, b"{}", "{reason}");
            } else {
                let text = refused(outcome);
                assert!(text.contains(reason), "{text}");
                assert!(server.seen().is_empty() || reason.is_empty());
            }
        }
    }
}

/// A certificate as `openssl req -x509` makes it: it is an authority, signed by itself.
fn self_signed(name: &str, year: i32) -> (ServerConfig, tempfile::TempDir) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(year, 12, 31);
    let certificate = params.self_signed(&key).expect("a certificate");
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("ca.crt"), certificate.pem()).expect("a file");
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
        .expect("a configuration");
    (server, directory)
}

#[tokio::test]
async fn a_self_signed_certificate_is_called_so_and_is_trusted_by_file() {
    let other = Authority::new("other").directory();
    for (name, year, trusted, reason) in [
        ("127.0.0.1", 2100, true, ""),
        ("127.0.0.1", 2100, false, "self-signed"),
        ("127.0.0.1", 2001, true, "has expired"),
        ("registry.example.com", 2100, true, "for another name"),
    ] {
        let (tls, own) = self_signed(name, year);
        let server = TestServer::start_tls(tls, |_| Reply::ok("{}"));
        let directory = if trusted { &own } else { &other };
        let client = trusting(&server, directory.path(), TlsVerify::Default);
        let outcome = client.manifest(&reference(&server, "app:1")).await;
        if reason.is_empty() {
            assert_eq!(outcome.expect("a manifest").bytes, b"{}");
        } else {
            let text = refused(outcome);
            assert!(text.ends_with(reason), "{text}");
        }
    }
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused() {
    // R1
    let ours = Authority::new("ours");
    let directory = ours.directory();
    let plain = TestServer::start(|_| Reply::ok("{}"));
    let target = plain.url("/x");
    let server = TestServer::start_tls(ours.server("127.0.0.1", 2100), move |seen| match seen.target.as_str() {
        "/v2/" => Reply::ok("{}"),
        _ => Reply::new(302, "").with("Location", target.clone()),
    });
    for verify in [TlsVerify::Default, TlsVerify::Never] {
        let client = trusting(&server, directory.path(), verify);
        let text = refused(client.manifest(&reference(&server, "app:1")).await);
        assert!(text.contains("from https to plain http"), "{text}");
    }
    assert!(plain.seen().is_empty());
}

#[tokio::test]
async fn a_token_server_elsewhere_is_verified_even_when_the_registry_is_not() {
    // R2: localhost is another host than 127.0.0.1, and its certificate is from an unknown authority.
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let realm = TestServer::start_tls(other.server("localhost", 2100), |_| Reply::ok(r#"{"token":"t1"}"#));
    let realm_url = realm.url("/token").replace("127.0.0.1", "localhost");
    let server = TestServer::start_tls(ours.server("127.0.0.1", 2100), move |_| {
        Reply::new(401, "").with("WWW-Authenticate", format!(r#"Bearer realm="{realm_url}""#))
    });
    let credentials = Some(Credentials::Password { user: "me".to_owned(), password: "secret".to_owned() });
    let options = Options { tls_verify: TlsVerify::Never, credentials, ..options() };
    let client = Client::new(&reference(&server, "app:1"), options).expect("a client");
    let text = refused(client.manifest(&reference(&server, "app:1")).await);
    assert!(text.starts_with("cannot trust `localhost:"), "{text}");
    assert!(realm.seen().is_empty());
}

#[tokio::test]
async fn the_hosts_own_directory_of_certs_d_is_used_and_shows_our_certificate() {
    let ours = Authority::new("ours");
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(
        rustls::pki_types::pem::PemObject::pem_slice_iter(ours.pem.as_bytes()).flatten().collect::<Vec<_>>(),
    );
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let (certificate, key) = ours.issue("127.0.0.1", 2100);
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier.expect("a verifier"))
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).expect("a key"))
        .expect("a configuration");
    let server = TestServer::start_tls(tls, |_| Reply::ok("{}"));

    let etc = tempfile::tempdir().expect("a directory");
    let directory = etc.path().join("docker/certs.d").join(server.authority());
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join("ca.crt"), &ours.pem).expect("a file");
    let fetch = || async {
        let places = Places { etc: etc.path().to_owned(), ..Places::default() };
        let client = Client::new(&reference(&server, "app:1"), Options { places, ..options() }).expect("a client");
        client.manifest(&reference(&server, "app:1")).await
    };
    assert!(fetch().await.is_err(), "a server that wants a certificate");
    let (own, key) = ours.issue("me", 2100);
    fs::write(directory.join("client.cert"), own.pem()).expect("a file");
    fs::write(directory.join("client.key"), key.serialize_pem()).expect("a file");
    assert_eq!(fetch().await.expect("a manifest").bytes, b"{}");
    fs::write(directory.join("ca.crt"), "nothing").expect("a file");
    assert!(refused(fetch().await).contains("it contains no PEM certificate"));
}
