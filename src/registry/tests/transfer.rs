use super::super::test_server::Ending;
use super::*;

#[tokio::test]
async fn an_image_is_fetched_with_digest_and_size_checked() {
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let manifest = format!(
        r#"{{"schemaVersion":2,
        "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[]}}"#,
        sha256(config),
        config.len()
    );
    let mut shelf = Shelf::default();
    shelf.blob(config).manifest("1", OCI_MANIFEST, manifest.as_bytes());
    let server = shelf.serve();
    let client = client(&server);
    let document = client.manifest(&reference(&server, "app:1")).await.expect("a manifest");
    assert_eq!(document.digest, sha256(manifest.as_bytes()));
    let Ok(Kind::Manifest(manifest)) = Kind::parse(&document.bytes, &document.media_type) else { panic!("a manifest") };
    assert_eq!(client.configuration(&manifest.config).await.expect("a configuration").bytes, config);
}

#[tokio::test]
async fn the_digest_decides_where_tag_and_digest_disagree() {
    // R6
    let mut shelf = Shelf::default();
    let digest = sha256(b"asked");
    shelf.manifest("1", OCI_MANIFEST, "other").manifest(&digest.to_string(), OCI_MANIFEST, "asked");
    let server = shelf.serve();
    let document = client(&server).manifest(&reference(&server, &format!("app:1@{digest}"))).await.expect("a manifest");
    assert_eq!(document.bytes, b"asked");
    assert!(server.seen().iter().all(|seen| !seen.target.ends_with("/1")));
}

#[tokio::test]
async fn a_manifest_with_another_digest_is_refused() {
    // I1
    let mut shelf = Shelf::default();
    let digest = sha256(b"asked");
    shelf.manifest(&digest.to_string(), OCI_MANIFEST, "other");
    let server = shelf.serve();
    let outcome = client(&server).manifest(&reference(&server, &format!("app@{digest}"))).await;
    assert_eq!(refused(outcome), format!("`{digest}` arrived with digest `{}`", sha256(b"other")));
}

#[tokio::test]
async fn a_configuration_of_another_size_is_refused() {
    // I1
    let mut shelf = Shelf::default();
    shelf.blob(b"{}");
    let server = shelf.serve();
    for size in [1, 3, 1 << 60] {
        let wrong = Descriptor { size, ..descriptor(b"{}") };
        let text = refused(client(&server).configuration(&wrong).await);
        assert!(text.contains("declared"), "{text}");
    }
}

#[tokio::test]
async fn a_blob_is_never_more_than_its_declared_size() {
    // I1, I5: reading stops at one byte more, and nothing is allocated according to the declared size.
    let mut shelf = Shelf::default();
    let bytes = vec![7; 100_000];
    shelf.blob(&bytes);
    shelf.put(&format!("blobs/{}", sha256(b"endless")), Reply::ok(bytes.clone()).ending(Ending::Endless));
    let server = shelf.serve();
    let client = client(&server);
    for (size, word) in [(99_999, "more"), (100_001, "fewer"), (1 << 60, "fewer"), (0, "accepted")] {
        let wrong = Descriptor { size, ..descriptor(&bytes) };
        let text = refused(fetch(&client, &wrong, 0).await);
        assert!(text.contains(word), "{size}: {text}");
    }
    let endless = Descriptor { size: 150_000, ..descriptor(b"endless") };
    assert!(refused(fetch(&client, &endless, 0).await).contains("more than its declared 150000 bytes"));
}

/// A server of one blob that breaks every answer with `ending`, as long as a request starts before byte `until`.
fn breaking(bytes: Vec<u8>, until: usize, ending: impl Fn(usize) -> Ending + Send + Sync + 'static) -> TestServer {
    TestServer::start(move |seen| {
        let from = seen.range();
        let last = bytes.len() - 1;
        let mut reply = if from == 0 { Reply::ok(bytes.clone()) } else { Reply::new(206, &bytes[from..]) };
        if from > 0 {
            reply = reply.with("Content-Range", format!("bytes {from}-{last}/{}", bytes.len()));
        }
        if from < until { reply.ending(ending(from)) } else { reply }
    })
}

#[tokio::test]
async fn a_broken_blob_goes_on_by_range() {
    // R5
    let bytes: Vec<u8> = (0..=255).cycle().take(90_000).collect();
    let server = breaking(bytes.clone(), 60_000, |_| Ending::Cut(30_000));
    assert_eq!(fetch(&client(&server), &descriptor(&bytes), 0).await.expect("the blob"), bytes);
    let ranges: Vec<usize> = server.seen().iter().map(Seen::range).collect();
    assert_eq!(ranges, [0, 30_000, 60_000]);
}

#[tokio::test]
async fn a_stalled_blob_goes_on_by_range() {
    // R5
    let bytes = vec![1; 50_000];
    let server = breaking(bytes.clone(), 1, |_| Ending::Stall(20_000));
    let client = Client::new(&reference(&server, "app:1"), impatient()).expect("a client");
    assert_eq!(fetch(&client, &descriptor(&bytes), 0).await.expect("the blob"), bytes);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_server_that_stops_is_named_while_rc_waits_and_at_the_end() {
    use std::sync::{Arc, Mutex};
    let bytes = vec![1; 50_000];
    let digest = sha256(&bytes);
    for (server, answers) in [(breaking(bytes.clone(), 50_000, |_| Ending::Stall(100)), true), (silent(), false)] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&told);
        let notices = Notices::to(move |text| listener.lock().expect("no panic").push(text.to_owned()));
        let options = Options { retries: 1, notices: notices.after(Duration::from_millis(100)), ..impatient() };
        let client = Client::new(&reference(&server, "app:1"), options).expect("a client");
        let host = server.authority();
        let text = refused(fetch(&client, &descriptor(&bytes), 0).await);
        let stalled = format!("`{host}` sent almost nothing for 1 seconds");
        let (waiting, expected, again) = if answers {
            (
                format!("`{host}` has sent almost nothing of `{digest}` for 0 seconds: still waiting"),
                format!("cannot fetch `{digest}`: {stalled}"),
                format!("{stalled}: going on where it stopped"),
            )
        } else {
            let waiting = format!("`{host}` has not answered for 0 seconds: still waiting");
            (waiting, stalled.clone(), format!("{stalled}: trying again"))
        };
        assert_eq!(text, expected);
        let told: Vec<String> = told.lock().expect("no panic").clone();
        // Finding out the protocol waits, too.
        let told: Vec<&String> = told.iter().rev().take(3).rev().collect();
        assert_eq!(told, [&waiting, &again, &waiting]);
    }
}

/// A server that accepts connections, and says nothing.
fn silent() -> TestServer {
    TestServer::start(|_| Reply::ok("").ending(Ending::Mute))
}

#[tokio::test]
async fn a_server_without_range_is_skipped_forward() {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let mut shelf = Shelf::default();
    shelf.blob(&bytes);
    let server = shelf.serve();
    assert_eq!(fetch(&client(&server), &descriptor(&bytes), 4_000).await.expect("the rest"), bytes[4_000..]);
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_is_refused() {
    let server = TestServer::start(|_| Reply::new(206, "xxxx").with("Content-Range", "bytes 0-3/10"));
    let text = refused(fetch(&client(&server), &Descriptor { size: 10, ..descriptor(b"") }, 5).await);
    assert!(text.contains("another part"), "{text}");
}

#[tokio::test]
async fn a_blob_without_progress_is_tried_four_times() {
    // R5
    let bytes = vec![1; 1_000];
    let server = breaking(bytes.clone(), 1_000, |_| Ending::Cut(0));
    let text = refused(fetch(&client(&server), &descriptor(&bytes), 0).await);
    assert!(text.contains("broke"), "{text}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_drip_is_a_stall() {
    // R5: a byte now and then does not keep a connection alive.
    let server = TestServer::start(|_| Reply::ok("").ending(Ending::Drip));
    let options = Options { retries: 0, ..impatient() };
    let client = Client::new(&reference(&server, "app:1"), options).expect("a client");
    let text = refused(fetch(&client, &Descriptor { size: 1 << 40, ..descriptor(b"") }, 0).await);
    assert!(text.contains("almost nothing"), "{text}");
    let text = refused(client.manifest(&reference(&server, "app:1")).await);
    assert!(text.contains("almost nothing"), "{text}");
}

#[tokio::test]
async fn busy_servers_are_asked_again_when_they_say() {
    // R5
    for (status, after, tries, good) in [
        (429, Some("0"), 4, false),
        (503, None, 4, false),
        (502, Some("Sun, 06 Nov 1994 08:49:37 GMT"), 4, false),
        (429, Some("3600"), 1, false),
        (500, None, 2, true),
        (400, None, 1, false),
    ] {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let server = TestServer::start(move |seen| {
            if seen.target == "/v2/" {
                return Reply::ok("{}");
            }
            let count = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if good && count == 1 {
                return Reply::ok("{}");
            }
            let reply = Reply::new(status, r#"{"errors":[{"message":"slow down\nplease"}]}"#);
            after.into_iter().fold(reply, |reply, after| reply.with("Retry-After", after))
        });
        let outcome = client(&server).manifest(&reference(&server, "app:1")).await;
        assert_eq!(outcome.is_ok(), good, "{status}");
        assert_eq!(server.seen().len(), tries, "{status} {after:?}");
        if let Err(error) = outcome {
            assert!(error.to_string().ends_with("/app:1`: slow down"), "{error}");
        }
    }
}

#[tokio::test]
async fn answers_beyond_their_limit_are_refused() {
    // I5, R5
    let mut shelf = Shelf::default();
    shelf.put("manifests/1", Reply::ok(vec![b' '; 1 << 16]).ending(Ending::Endless));
    shelf.put("manifests/2", Reply::new(400, vec![b' '; 1 << 16]).ending(Ending::Endless));
    let server = shelf.serve();
    let text = refused(client(&server).manifest(&reference(&server, "app:1")).await);
    assert!(text.starts_with("manifest from") && text.ends_with("more than 4194304 bytes"), "{text}");
    let text = refused(client(&server).manifest(&reference(&server, "app:2")).await);
    assert!(text.contains("answered 400"), "{text}");
}

#[tokio::test]
async fn all_tags_are_listed_page_by_page_from_the_same_repository() {
    let server = TestServer::start(|seen| match seen.target.as_str() {
        "/v2/app/tags/list" => Reply::ok(r#"{"name":"app","tags":["a","b"]}"#)
            .with("Link", r#"<http://203.0.113.1/elsewhere?last=b&n=2>; rel="next""#),
        "/v2/app/tags/list?last=b&n=2" => Reply::ok(r#"{"name":"app","tags":["c"]}"#),
        _ => Reply::ok("{}"),
    });
    assert_eq!(client(&server).tags().await.expect("tags"), ["a", "b", "c"]);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = Shelf::default().serve();
    let wanted = reference(&server, "app:1");
    assert_eq!(refused(client(&server).manifest(&wanted).await), format!("`{wanted}` not found in the registry"));
}

#[tokio::test]
async fn a_port_without_a_server_is_named() {
    let wanted: ImageReference = "127.0.0.1:1/app".parse().expect("a reference");
    let client = Client::new(&wanted, options()).expect("a client");
    assert_eq!(refused(client.manifest(&wanted).await), "cannot reach `127.0.0.1:1`: connection refused");
}

#[tokio::test]
async fn localhost_is_reached_without_a_name_server() {
    let mut shelf = Shelf::default();
    shelf.manifest("1", OCI_MANIFEST, "{}");
    let server = shelf.serve();
    let wanted = server.authority().replace("127.0.0.1", "localhost") + "/app:1";
    let wanted: ImageReference = wanted.parse().expect("a reference");
    let client = Client::new(&wanted, options()).expect("a client");
    assert_eq!(client.manifest(&wanted).await.expect("a manifest").bytes, b"{}");
}
