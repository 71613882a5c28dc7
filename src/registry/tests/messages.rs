//! Errors in plain words: no message is the text of a library.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::super::{Credentials, TlsVerify};
use super::*;

/// Answers whatever comes first on a connection with these bytes, and returns `127.0.0.1:PORT`.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if stream.read(&mut [0; 1024]).is_ok() {
                drop(stream.write_all(bytes));
            }
        }
    });
    address.to_string()
}

/// The message and the hint of a pull.
async fn said(authority: &str, options: Options) -> (String, String) {
    let reference: ImageReference = format!("{authority}/app:1").parse().expect("a reference");
    let client = Client::new(&reference, options).expect("a client");
    let error = client.manifest(&reference).await.expect_err("an error");
    (error.to_string(), error.hint().unwrap_or_default())
}

#[tokio::test]
async fn a_server_without_tls_is_called_so() {
    for (bytes, expected, hint) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "`HOST` speaks http, not https", "--tls-verify=false"),
        // An alert: handshake_failure, unrecognized_name.
        (
            b"\x15\x03\x03\0\x02\x02\x28",
            "cannot reach `HOST`: it supports no version or cipher of TLS that rc supports (TLS 1.2 and 1.3)",
            "",
        ),
        (b"\x15\x03\x03\0\x02\x02\x70", "cannot reach `HOST`: it has no certificate for this name", ""),
    ] {
        let authority = answering(bytes);
        let options = Options { tls_verify: TlsVerify::Always, ..options() };
        let (message, hinted) = said(&authority, options).await;
        assert_eq!(message, expected.replace("HOST", &authority));
        assert!(hinted.contains(hint) && hinted.is_empty() == hint.is_empty(), "{hinted}");
    }
}

#[tokio::test]
async fn a_web_page_in_place_of_an_answer_is_called_so() {
    let page = "<!DOCTYPE html><title>Log in to this network</title>";
    for (kind, body) in
        [("text/html; charset=utf-8", page), ("application/json", "\n<html>"), ("text/html", "Please log in")]
    {
        let server = TestServer::start(move |_| Reply::ok(body).with("Content-Type", kind));
        let (message, hint) = said(&server.authority(), options()).await;
        assert_eq!(message, format!("`{}` sent HTML, not JSON", server.authority()));
        assert!(hint.contains("login page"), "{hint}");
        // With a digest, too, which the page does not have.
        let client = client(&server);
        let pinned = reference(&server, &format!("app@{}", sha256(b"{}")));
        assert!(refused(client.manifest(&pinned).await).ends_with("sent HTML, not JSON"));
        assert!(refused(client.tags().await).ends_with("sent HTML, not JSON"));
    }
    // Some servers of plain files call everything a page.
    let server = TestServer::start(|_| Reply::ok("{}").with("Content-Type", "text/html"));
    assert_eq!(client(&server).manifest(&reference(&server, "app:1")).await.expect("a manifest").bytes, b"{}");
}

#[tokio::test]
async fn a_wrong_password_is_called_so() {
    let credentials = Some(Credentials::Password { user: "me".to_owned(), password: "wrong".to_owned() });
    let denied = r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#;
    let basic = TestServer::start(move |_| Reply::new(401, denied).with("WWW-Authenticate", "Basic realm=x"));
    let options = Options { credentials, ..options() };
    let expected = |host: String| format!("`{host}` refused the user name or the password: denied");
    // Also if the password was sent at once.
    let client = Client::new(&reference(&basic, "app:1"), options.clone()).expect("a client");
    for _ in 0..2 {
        let text = refused(client.manifest(&reference(&basic, "app:1")).await);
        assert_eq!(text, expected(basic.authority()));
    }
    let realm = TestServer::start(move |_| Reply::new(401, denied));
    let url = realm.url("/token");
    let bearer =
        TestServer::start(move |_| Reply::new(401, "").with("WWW-Authenticate", format!(r#"Bearer realm="{url}""#)));
    assert_eq!(said(&bearer.authority(), options.clone()).await.0, expected(realm.authority()));
    // The password is right, the user may not read this repository.
    let forbidden = TestServer::start(move |seen| match seen.header("authorization") {
        "" => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=x"),
        _ => Reply::new(403, denied),
    });
    let (message, _) = said(&forbidden.authority(), options).await;
    assert_eq!(message, format!("access to `{}/app:1` is denied: denied", forbidden.authority()));
}
