//! Challenges, tokens and realms: R2, R5.

use super::super::Credentials;
use super::super::test_server::Ending;
use super::*;

fn with_credentials(server: &TestServer, credentials: Option<Credentials>) -> Client {
    Client::new(&reference(server, "app:1"), Options { credentials, ..options() }).expect("a client")
}

fn password() -> Option<Credentials> {
    Some(Credentials::Password { user: "me".to_owned(), password: "secret".to_owned() })
}

/// A registry whose tokens come from `realm`; `good` is the right one.
fn token_registry(realm: String, good: &'static str) -> TestServer {
    TestServer::start(move |seen| {
        if seen.header("authorization") == good {
            return Reply::ok("{}");
        }
        let challenge =
            format!(r#"Bearer realm="{realm}",service="the, \"service\"",scope="repository:evil:pull,push""#);
        Reply::new(401, r#"{"errors":[{"message":"authentication required"}]}"#).with("WWW-Authenticate", challenge)
    })
}

#[tokio::test]
async fn a_token_is_fetched_anonymously_for_our_own_scope_and_kept() {
    let realm = TestServer::start(|_| Reply::ok(r#"{"token":"t1"}"#));
    let server = token_registry(realm.url("/token?a=b"), "Bearer t1");
    let client = with_credentials(&server, None);
    for _ in 0..3 {
        client.manifest(&reference(&server, "app:1")).await.expect("a manifest");
    }
    let seen = realm.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].target, "/token?a=b&scope=repository%3Aapp%3Apull&service=the%2C+%22service%22");
    assert_eq!(seen[0].header("authorization"), "");
}

#[tokio::test]
async fn a_password_goes_to_the_realm_and_never_to_the_registry() {
    let realm = TestServer::start(|seen| match seen.header("authorization") {
        "Basic bWU6c2VjcmV0" => Reply::ok(r#"{"access_token":"t1","expires_in":300}"#),
        _ => Reply::new(401, r#"{"details":"who are you?"}"#),
    });
    let server = token_registry(realm.url("/token"), "Bearer t1");
    with_credentials(&server, password()).manifest(&reference(&server, "app:1")).await.expect("a manifest");
    assert!(server.seen().iter().all(|seen| !seen.header("authorization").starts_with("Basic")));
    let outcome = with_credentials(&server, None).manifest(&reference(&server, "app:1")).await;
    assert_eq!(refused(outcome), "access to `repository:app:pull` is denied: who are you?");
}

#[tokio::test]
async fn an_identity_token_is_posted() {
    let realm = TestServer::start(|_| Reply::ok(r#"{"access_token":"t1"}"#));
    let server = token_registry(realm.url("/token"), "Bearer t1");
    let client = with_credentials(&server, Some(Credentials::IdentityToken("refresh&me".to_owned())));
    client.manifest(&reference(&server, "app:1")).await.expect("a manifest");
    let seen = &realm.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/token"));
    assert!(seen.body.contains("grant_type=refresh_token&refresh_token=refresh%26me"), "{}", seen.body);
}

#[tokio::test]
async fn basic_is_answered_once() {
    let server = TestServer::start(|_| Reply::new(401, "").with("WWW-Authenticate", r#"Basic realm="x""#));
    let client = with_credentials(&server, password());
    let text = refused(client.manifest(&reference(&server, "app:1")).await);
    assert!(text.ends_with("` refused the user name or the password"), "{text}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_token_that_ran_out_is_fetched_anew() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let realm = TestServer::start(move |_| {
        let count = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::ok(format!(r#"{{"token":"t{count}"}}"#))
    });
    let server = token_registry(realm.url("/token"), "Bearer t1");
    let client = with_credentials(&server, None);
    assert!(client.manifest(&reference(&server, "app:1")).await.is_err());
    client.manifest(&reference(&server, "app:1")).await.expect("a manifest with the second token");
}

#[tokio::test]
async fn realms_that_are_nearer_or_in_the_open_are_refused() {
    // R2: a public registry, then a private one, then one on loopback, each with realms that it may not name.
    let public = "https://203.0.113.1/v2/";
    let private = "https://10.0.0.1/v2/";
    let loopback = "http://127.0.0.1:5000/v2/";
    let transport = super::super::transport::Transport::new(&options());
    for (registry, realm, reason) in [
        (public, "http://203.0.113.2/token", "plain http"),
        (public, "http://203.0.113.1/token", "plain http"),
        (public, "https://127.0.0.1/token", "not public"),
        (public, "https://localhost/token", "not public"),
        (public, "https://[::1]/token", "not public"),
        (public, "https://[::ffff:127.0.0.1]/token", "not public"),
        (public, "https://0.0.0.0/token", "not public"),
        (public, "https://2130706433/token", "not public"),
        (public, "https://169.254.169.254/latest", "not public"),
        (public, "https://192.168.0.1/token", "not public"),
        (public, "https://[fd00::1]/token", "not public"),
        (public, "https://me:pw@203.0.113.2/token", "a user name"),
        (public, "ftp://203.0.113.2/token", "neither"),
        (public, "file:///etc/passwd", "no host"),
        (public, "not a url", "not a URL"),
        (private, "https://127.0.0.1/token", "not public"),
        (private, "https://169.254.169.254/token", "not public"),
        (private, "http://10.0.0.1/token", "plain http"),
        (loopback, "http://10.0.0.1/token", "plain http"),
        (loopback, "http://169.254.169.254/token", "not public"),
        (loopback, "http://203.0.113.1/token", "plain http"),
        (public, "https://203.0.113.2/token", ""),
        (private, "https://10.0.0.2/token", ""),
        (private, "https://203.0.113.2/token", ""),
        (loopback, "http://127.0.0.1:5001/token", ""),
        (loopback, "http://localhost:5001/token", ""),
    ] {
        let registry = registry.parse().expect("a URL");
        let outcome = super::super::auth::check_realm(&transport, &registry, realm).await;
        match (reason, outcome) {
            ("", outcome) => assert!(outcome.is_ok(), "{registry} {realm}"),
            (reason, outcome) => {
                let text = refused(outcome.map(|_| ()));
                assert!(text.contains(reason), "{registry} {realm}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_nearer_address_is_refused() {
    // R2: `realm.localhost` stands for a public name with a record of 127.0.0.1.
    use super::super::address::Reach;
    use super::super::dns::{Dns, GuardedDns};
    use reqwest::dns::Resolve as _;
    let guard = |registry| GuardedDns { dns: Dns::default(), host: "realm.localhost".to_owned(), registry };
    let name = |text: &str| text.parse().expect("a name");
    assert!(guard(Reach::Public).resolve(name("realm.localhost")).await.is_err());
    assert!(guard(Reach::Private).resolve(name("realm.localhost")).await.is_err());
    assert!(guard(Reach::Loopback).resolve(name("realm.localhost")).await.is_ok());
    assert!(guard(Reach::Public).resolve(name("proxy.localhost")).await.is_ok());
}

#[tokio::test]
async fn bad_tokens_are_refused() {
    // R5
    for (reply, reason) in [
        (Reply::ok("{}"), "no token"),
        (Reply::ok(r#"{"token":""}"#), "no token"),
        (Reply::ok("[[["), "not a JSON"),
        (Reply::ok(r#"{"token":"a\r\nX-Evil: 1"}"#), "control bytes"),
        (Reply::ok(vec![b' '; 1 << 16]).ending(Ending::Endless), "more than 1048576 bytes"),
        (Reply::new(500, ""), "answered 500"),
        (Reply::new(302, "").with("Location", "http://169.254.169.254/"), "refusing a redirect"),
    ] {
        let realm = TestServer::start(move |_| reply.clone());
        let server = token_registry(realm.url("/token"), "Bearer t1");
        let text = refused(with_credentials(&server, None).manifest(&reference(&server, "app:1")).await);
        assert!(text.contains(reason), "{reason}: {text}");
    }
}

#[tokio::test]
async fn challenges_that_make_no_sense_are_refused() {
    for (challenge, reason) in [
        ("Digest realm=\"x\"", "rc supports only Basic and Bearer"),
        ("Bearer service=\"x\"", "names no realm"),
        ("Bearer realm=\"", "cannot be parsed"),
        ("", "cannot be parsed"),
    ] {
        let server = TestServer::start(move |_| Reply::new(401, "").with("WWW-Authenticate", challenge));
        let text = refused(with_credentials(&server, password()).manifest(&reference(&server, "app:1")).await);
        assert!(text.contains(reason), "{challenge}: {text}");
    }
}

#[test]
fn debug_output_shows_no_secret() {
    // U3
    let options = Options { credentials: password(), ..options() };
    assert!(!format!("{options:?}").contains("secret"));
    assert!(!format!("{:?}", Credentials::IdentityToken("secret".to_owned())).contains("secret"));
}
