//! Signatures that a registry keeps itself.

use super::*;

/// A registry that says that it keeps signatures, and answers this list.
fn keeping(says: &'static str, status: u16, list: &'static str) -> TestServer {
    let path = format!("/extensions/v2/app/signatures/{}", sha256(b"m"));
    TestServer::start(move |seen| match seen.target.as_str() {
        "/v2/" => Reply::ok("{}").with("X-Registry-Supports-Signatures", says),
        target if target == path => Reply::new(status, list).with("Content-Type", "application/json"),
        _ => Reply::new(404, ""),
    })
}

#[tokio::test]
async fn signatures_of_simple_signing_are_taken_from_a_registry_that_keeps_some() {
    let list = r#"{"signatures": [
        {"schemaVersion": 2, "name": "sha256:0@a", "type": "atomic", "content": "kAE="},
        {"schemaVersion": 1, "name": "sha256:0@b", "type": "atomic", "content": "AA=="},
        {"schemaVersion": 2, "name": "sha256:0@c", "type": "other", "content": "AA=="},
        {"schemaVersion": 2, "name": "sha256:0@d", "type": "atomic", "content": "kAI="}]}"#;
    let server = keeping("1", 200, list);
    let kept = client(&server).signatures(&sha256(b"m")).await.expect("a list").expect("it keeps some");
    assert_eq!(kept.signatures, [[0x90, 1], [0x90, 2]]);
    assert_eq!(kept.url, format!("http://{}/extensions/v2/app/signatures/{}", server.authority(), sha256(b"m")));
    let none = keeping("1", 404, "{}");
    assert!(client(&none).signatures(&sha256(b"m")).await.expect("none").expect("it keeps some").signatures.is_empty());
    // One that does not say so is not asked.
    let other = keeping("0", 200, list);
    assert!(client(&other).signatures(&sha256(b"m")).await.expect("an answer").is_none());
    assert!(other.seen().iter().all(|seen| !seen.target.starts_with("/extensions")));
}

#[tokio::test]
async fn a_list_that_is_none_is_an_error() {
    for (status, list, reason) in [
        (200, r#"{"signatures": [{"schemaVersion": 2, "type": "atomic", "content": "%"}]}"#, "it is not base64"),
        (200, r#"{"signatures": 7}"#, "list of signatures"),
        (200, "<html>", "sent HTML"),
        (403, "{}", "denied"),
        (500, "{}", "500"),
    ] {
        let server = keeping("1", status, list);
        let said = refused(client(&server).signatures(&sha256(b"m")).await);
        assert!(said.contains(reason), "{status} {list}: {said}");
    }
}
