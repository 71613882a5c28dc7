//! Sending blobs and manifests.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::super::test_server::Ending;
use super::super::{Arrival, Source};
use super::*;

/// A blob, and how many of its bytes were reported as sent.
fn source(bytes: &[u8]) -> (Source, Arc<AtomicU64>) {
    let (content, sent) = (bytes.to_vec(), Arc::new(AtomicU64::new(0)));
    let count = Arc::clone(&sent);
    let open = move |offset: u64| {
        let start = usize::try_from(offset).expect("a short blob");
        Ok(Box::new(std::io::Cursor::new(content[start..].to_vec())) as Box<dyn std::io::Read + Send>)
    };
    let source = Source::new(descriptor(bytes), open, move |more| {
        count.fetch_add(more, Ordering::SeqCst);
    });
    (source, sent)
}

/// A registry that keeps what is sent, and breaks the first `breaks` connections of an upload: of the content that came
/// by them, `kept` bytes have arrived.
fn registry(breaks: usize, kept: usize) -> (TestServer, Arc<Mutex<Vec<u8>>>) {
    let stored: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (content, count) = (Arc::clone(&stored), AtomicUsize::new(0));
    let server = TestServer::start(move |seen| {
        let mut content = content.lock().expect("no panic");
        let state = || format!("/v2/app/blobs/uploads/1?state={}", count.load(Ordering::SeqCst));
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        match (seen.method.as_str(), path) {
            ("GET", "/v2/") => Reply::ok("{}"),
            ("HEAD", _) => Reply::new(404, ""),
            ("POST", "/v2/app/blobs/uploads/") => {
                content.clear();
                Reply::new(202, "").with("Location", state())
            }
            ("PATCH", "/v2/app/blobs/uploads/1") => {
                assert!(state().ends_with(query), "{query}");
                let number = count.fetch_add(1, Ordering::SeqCst);
                if number < breaks {
                    content.extend_from_slice(&seen.body.as_bytes()[..kept]);
                    return Reply::new(202, "").ending(Ending::Vanish);
                }
                content.extend_from_slice(seen.body.as_bytes());
                Reply::new(202, "").with("Location", state())
            }
            ("GET", "/v2/app/blobs/uploads/1") => Reply::new(204, "")
                .with("Location", state())
                .with("Range", format!("0-{}", content.len().saturating_sub(1))),
            ("PUT", "/v2/app/blobs/uploads/1") => {
                assert!(query.contains("&digest=sha256%3A"), "{query}");
                Reply::new(201, "")
            }
            other => panic!("{other:?}"),
        }
    });
    (server, stored)
}

fn pushing(server: &TestServer, sources: &[String], options: Options) -> Client {
    Client::for_push(&reference(server, "app:1"), sources, options).expect("a client")
}

#[tokio::test]
async fn a_blob_is_sent_and_goes_on_after_a_break() {
    let bytes = b"0123456789".repeat(50_000);
    for (breaks, kept, posts, ranges) in [
        (0, 0, 1, vec![""]),
        (1, 200_000, 1, vec!["", "200000-499999"]),
        (2, 200_000, 1, vec!["", "200000-499999", "400000-499999"]),
        // Nothing has arrived: it begins again.
        (1, 0, 2, vec!["", ""]),
    ] {
        let (server, stored) = registry(breaks, kept);
        let (blob, sent) = source(&bytes);
        let arrival = pushing(&server, &[], options()).upload(&blob, &[]).await.expect("it is sent");
        assert_eq!(arrival, Arrival::Sent);
        assert!(*stored.lock().expect("no panic") == bytes, "{breaks} {kept}");
        // Each byte counts once.
        assert_eq!(sent.load(Ordering::SeqCst), bytes.len() as u64);
        let seen = server.seen();
        let of = |method: &str| seen.iter().filter(|seen| seen.method == method).collect::<Vec<_>>();
        assert_eq!(of("POST").len(), posts);
        let patched: Vec<&str> = of("PATCH").iter().map(|seen| seen.header("content-range")).collect();
        assert_eq!(patched, ranges);
    }
}

#[tokio::test]
async fn an_upload_that_never_arrives_ends_with_the_digest_and_the_registry() {
    let (server, _) = registry(usize::MAX, 0);
    let (blob, _) = source(b"content");
    let error = pushing(&server, &[], options()).upload(&blob, &[]).await.expect_err("it fails").to_string();
    let expected = format!("cannot send `{}`: the connection to `{}` broke: ", sha256(b"content"), server.authority());
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(server.seen().iter().filter(|seen| seen.method == "PATCH").count(), 4);
}

#[tokio::test]
async fn what_the_registry_has_is_not_sent() {
    let digest = sha256(b"content");
    let server = TestServer::start(move |seen| match seen.method.as_str() {
        "HEAD" if seen.target.ends_with(&digest.to_string()) => Reply::ok(""),
        "POST" if seen.target.contains("mount=") => Reply::new(201, ""),
        "HEAD" => Reply::new(404, ""),
        _ => Reply::ok("{}"),
    });
    let client = pushing(&server, &["other".to_owned()], options());
    let (present, _) = source(b"content");
    assert_eq!(client.upload(&present, &[]).await.expect("there"), Arrival::Present);
    let (elsewhere, _) = source(b"elsewhere");
    assert_eq!(client.upload(&elsewhere, &["other".to_owned()]).await.expect("mounted"), Arrival::Mounted);
    assert!(server.seen().iter().all(|seen| seen.method != "PATCH" && seen.method != "PUT"));
    let target = server.seen().iter().find(|seen| seen.method == "POST").expect("a mount").target.clone();
    let digest = sha256(b"elsewhere").to_string().replace(':', "%3A");
    assert_eq!(target, format!("/v2/app/blobs/uploads/?mount={digest}&from=other"));
}

#[tokio::test]
async fn content_that_cannot_be_read_is_no_failure_of_the_registry() {
    let (server, _) = registry(0, 0);
    let open = |_| Ok(Box::new(std::io::Cursor::new(b"short".to_vec())) as Box<dyn std::io::Read + Send>);
    let blob = Source::new(descriptor(b"longer content"), open, |_| {});
    let error = pushing(&server, &[], options()).upload(&blob, &[]).await.expect_err("it fails").to_string();
    assert!(error.ends_with("its length is not as declared"), "{error}");
}

#[tokio::test]
async fn an_upload_stays_with_its_registry() {
    for (location, reason) in [
        ("http://203.0.113.1/upload", "by https, or at the same server"),
        ("https://me:pw@203.0.113.1/upload", "it carries a user name"),
        ("", "does not say where"),
    ] {
        let server = TestServer::start(move |seen| match seen.method.as_str() {
            "HEAD" => Reply::new(404, ""),
            "POST" if location.is_empty() => Reply::new(202, ""),
            "POST" => Reply::new(202, "").with("Location", location),
            _ => Reply::ok("{}"),
        });
        let (blob, _) = source(b"content");
        let error = pushing(&server, &[], options()).upload(&blob, &[]).await.expect_err("refused").to_string();
        assert!(error.contains(reason), "{location}: {error}");
    }
}

#[tokio::test]
async fn a_manifest_is_put_with_its_type() {
    let server = TestServer::start(|seen| match seen.method.as_str() {
        "PUT" if seen.target.ends_with("/bad") => {
            Reply::new(400, r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid"}]}"#)
        }
        "PUT" => Reply::new(201, ""),
        _ => Reply::ok("{}"),
    });
    let client = pushing(&server, &[], options());
    client.put_manifest("1", OCI_MANIFEST, b"{}".to_vec(), "app:1").await.expect("put");
    let seen = server.seen();
    let put = seen.iter().find(|seen| seen.method == "PUT").expect("a request");
    assert_eq!((put.target.as_str(), put.header("content-type")), ("/v2/app/manifests/1", OCI_MANIFEST));
    assert_eq!(put.body, "{}");
    let text = refused(client.put_manifest("bad", OCI_MANIFEST, b"{}".to_vec(), "app:bad").await);
    assert!(text.ends_with("answered 400 for `app:bad`: manifest invalid"), "{text}");
}

#[tokio::test]
async fn a_manifest_that_is_refused_while_another_push_writes_is_put_again() {
    let count = AtomicUsize::new(0);
    let server = TestServer::start(move |seen| match seen.method.as_str() {
        "PUT" if count.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::new(400, r#"{"errors":[{"code":"DIGEST_INVALID","message":"digest did not match"}]}"#)
        }
        "PUT" => Reply::new(201, ""),
        _ => Reply::ok("{}"),
    });
    let client = pushing(&server, &[], options());
    client.put_manifest("1", OCI_MANIFEST, b"{}".to_vec(), "app:1").await.expect("put");
    assert_eq!(server.seen().iter().filter(|seen| seen.method == "PUT").count(), 2);
}
