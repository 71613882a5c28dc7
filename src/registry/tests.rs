//! The client against a hostile server; names state the rule, comments its number in safety.md.

mod auth;
mod extension;
mod messages;
mod rules;
mod tls;
mod transfer;
mod upload;

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::manifest::{Descriptor, Kind};
use super::test_server::{Reply, Seen, TestServer};
use super::{Backoff, Client, Error, Notices, Options, Places};
use crate::types::{Digest, ImageReference};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn options() -> Options {
    Options {
        places: Places::default(),
        backoff: Backoff::Doubling(Duration::from_millis(1)),
        stall: Duration::from_secs(30),
        ..Options::default()
    }
}

/// For a server that stalls: long enough for a busy host to do everything else meanwhile.
fn impatient() -> Options {
    Options { stall: Duration::from_secs(1), ..options() }
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor { media_type: String::new(), digest: sha256(bytes), size: bytes.len() as u64 }
}

fn reference(server: &TestServer, rest: &str) -> ImageReference {
    format!("{}/{rest}", server.authority()).parse().expect("a reference")
}

fn client(server: &TestServer) -> Client {
    Client::new(&reference(server, "app:1"), options()).expect("a client")
}

/// A registry with one image: `app:1`.
#[derive(Clone, Default)]
struct Shelf {
    replies: BTreeMap<String, Reply>,
}

impl Shelf {
    fn put(&mut self, path: &str, reply: Reply) -> &mut Self {
        self.replies.insert(format!("/v2/app/{path}"), reply);
        self
    }

    fn blob(&mut self, bytes: &[u8]) -> &mut Self {
        self.put(&format!("blobs/{}", sha256(bytes)), Reply::ok(bytes))
    }

    fn manifest(&mut self, selector: &str, media_type: &str, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.put(&format!("manifests/{selector}"), Reply::ok(bytes).with("Content-Type", media_type))
    }

    fn serve(self) -> TestServer {
        TestServer::start(move |seen| self.reply(seen))
    }

    fn reply(&self, seen: &Seen) -> Reply {
        let path = seen.target.split('?').next().unwrap_or_default();
        match self.replies.get(path) {
            Some(reply) => reply.clone(),
            None if path == "/v2/" => Reply::ok("{}"),
            None => Reply::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#),
        }
    }
}

/// Fetches a whole blob.
async fn fetch(client: &Client, descriptor: &Descriptor, offset: u64) -> Result<Vec<u8>, Error> {
    let mut blob = client.blob(descriptor, offset).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = blob.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The text of an error that must occur.
fn refused<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}
