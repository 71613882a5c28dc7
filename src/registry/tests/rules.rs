//! Redirects and plain http: R1, R3.

use super::super::{Credentials, TlsVerify};
use super::*;
use crate::types::json;

fn password() -> Option<Credentials> {
    Some(Credentials::Password { user: "me".to_owned(), password: "secret".to_owned() })
}

#[tokio::test]
async fn a_redirect_to_another_origin_carries_no_authorization() {
    // R1
    let bytes = b"layer".to_vec();
    let body = bytes.clone();
    let content = TestServer::start(move |_| Reply::ok(body.clone()).with("Set-Cookie", "a=b"));
    let target = content.url("/elsewhere?signature=1");
    let registry = TestServer::start(move |seen| match seen.header("authorization") {
        "" => Reply::new(401, "").with("WWW-Authenticate", r#"Basic realm="x""#),
        _ => Reply::new(307, "").with("Location", target.clone()).with("Set-Cookie", "session=1"),
    });
    let options = Options { credentials: password(), ..options() };
    let client = Client::new(&reference(&registry, "app:1"), options).expect("a client");
    for _ in 0..2 {
        assert_eq!(fetch(&client, &descriptor(&bytes), 0).await.expect("the layer"), bytes);
    }
    assert!(registry.seen().iter().any(|seen| seen.header("authorization").starts_with("Basic ")));
    assert_eq!(content.seen().len(), 2);
    for seen in content.seen() {
        assert_eq!((seen.header("authorization"), seen.header("cookie")), ("", ""));
        assert_eq!(seen.target, "/elsewhere?signature=1");
    }
}

#[tokio::test]
async fn a_redirect_within_the_origin_keeps_authorization() {
    let registry = TestServer::start(|seen| match (seen.header("authorization"), seen.target.as_str()) {
        ("", _) => Reply::new(401, "").with("WWW-Authenticate", r#"Basic realm="x""#),
        (_, "/moved") => Reply::ok("{}"),
        _ => Reply::new(302, "").with("Location", "/moved"),
    });
    let options = Options { credentials: password(), ..options() };
    let client = Client::new(&reference(&registry, "app:1"), options).expect("a client");
    assert_eq!(client.manifest(&reference(&registry, "app:1")).await.expect("a manifest").bytes, b"{}");
}

#[tokio::test]
async fn redirects_that_lead_astray_are_refused() {
    // R1, R3
    for (location, reason) in [
        ("http://203.0.113.1/x", "plain http needs `--tls-verify=false`"),
        ("ftp://127.0.0.1/x", "another protocol"),
        ("file:///etc/passwd", "another protocol"),
        ("http://user:pass@127.0.0.1:1/x", "a user name"),
        ("http://[::1", "not a URL"),
        ("/v2/app/manifests/1", "more than 5"),
    ] {
        let server = TestServer::start(move |seen| match seen.target.as_str() {
            "/v2/" => Reply::ok("{}"),
            _ => Reply::new(302, "").with("Location", location),
        });
        let text = refused(client(&server).manifest(&reference(&server, "app:1")).await);
        assert!(text.contains("redirect") && text.contains(reason), "{location}: {text}");
        assert!(server.seen().len() <= 6);
    }
}

#[test]
fn plain_http_is_for_loopback_only_unless_nothing_is_verified() {
    // R3
    let candidates = |name: &str, tls_verify| {
        let wanted: ImageReference = name.parse().expect("a reference");
        let client = Client::new(&wanted, Options { tls_verify, ..options() }).expect("a client");
        client.candidates.iter().map(|url| url.scheme().to_owned()).collect::<Vec<_>>()
    };
    for local in ["127.0.0.1:5000/a", "127.9.9.9/a", "localhost:5000/a", "localhost/a", "[::1]:5000/a"] {
        assert_eq!(candidates(local, TlsVerify::Default), ["https", "http"], "{local}");
        assert_eq!(candidates(local, TlsVerify::Always), ["https"], "{local}");
    }
    for far in
        ["registry.example.com/a", "10.0.0.1/a", "192.168.1.1:5000/a", "128.0.0.1/a", "a", "localhost.example.com/a"]
    {
        assert_eq!(candidates(far, TlsVerify::Default), ["https"], "{far}");
        assert_eq!(candidates(far, TlsVerify::Never), ["https", "http"], "{far}");
    }
}

#[tokio::test]
async fn foreign_urls_of_a_layer_are_ignored() {
    // R1
    let elsewhere = TestServer::start(|_| Reply::ok("evil"));
    let text = format!(
        r#"{{"mediaType":"x","digest":"{}","size":5,"urls":["{}"]}}"#,
        sha256(b"layer"),
        elsewhere.url("/layer")
    );
    let descriptor: Descriptor = json::from_str(&text).expect("a descriptor");
    let mut shelf = Shelf::default();
    shelf.blob(b"layer");
    let server = shelf.serve();
    assert_eq!(fetch(&client(&server), &descriptor, 0).await.expect("the layer"), b"layer");
    assert!(elsewhere.seen().is_empty());
}
