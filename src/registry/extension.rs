//! Signatures that a registry keeps itself, as that of OpenShift does. Source: container-libs'
//! docs/signature-protocols.md, "OpenShift docker registry protocol"; docker/docker_client.go, `supportsSignatures`.
//!
//! ```text
//! GET /v2/                                            → X-Registry-Supports-Signatures: 1
//! GET /extensions/v2/REPOSITORY/signatures/DIGEST     → {"signatures": [{"schemaVersion": 2, "name": "DIGEST@NAME",
//!                                                         "type": "atomic", "content": "BASE64"}]}
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::{Deserialize, Deserializer, de};

use super::address::authority;
use super::client::Client;
use super::manifest::Fault;
use super::transport::Request;
use super::{Error, MANIFEST_LIMIT, SIGNATURES};
use crate::types::{Digest, json};

/// What a registry says with its first answer if it keeps signatures.
const HEADER: &str = "x-registry-supports-signatures";

/// The signatures of a manifest, and where they were.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The URL of the list.
    pub(crate) url: String,
    /// Signatures of simple signing; those of other kinds do not count.
    pub(crate) signatures: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    signatures: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "schemaVersion")]
    version: u32,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(deserialize_with = "bytes", default)]
    content: Vec<u8>,
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(|_| de::Error::custom("it is not base64"))
}

impl Client {
    /// The signatures that the registry itself has of a manifest; `None` if it keeps none, but a lookaside may have
    /// some.
    pub(crate) async fn signatures(&self, manifest: &Digest) -> Result<Option<Kept>, Error> {
        let first = self.exchange(Request::get(self.url("").await?)).await?.response;
        if first.headers().get(HEADER).is_none_or(|value| value != "1") {
            return Ok(None);
        }
        let url = self.url(&format!("/extensions/v2/{}/signatures/{manifest}", self.repository())).await?;
        let answer = self.exchange(Request::get(url.clone())).await?;
        let list = match answer.response.status().as_u16() {
            200 => self.read_signatures(answer.response).await?,
            404 => Vec::new(),
            _ => return Err(self.refusal(answer, &self.subject(manifest)).await),
        };
        Ok(Some(Kept { url: shown(&url), signatures: list }))
    }

    async fn read_signatures(&self, response: reqwest::Response) -> Result<Vec<Vec<u8>>, Error> {
        let what = "list of signatures";
        let body = self.transport().read_json(response, what, MANIFEST_LIMIT).await?;
        let list: List = json::from_slice(&body).map_err(|source| Error::Manifest {
            subject: self.name().to_owned(),
            fault: Fault::Json { what, source },
        })?;
        let good = list.signatures.into_iter().filter(|it| it.version == 2 && it.kind == "atomic");
        Ok(good.take(SIGNATURES).map(|it| it.content).collect())
    }
}

/// The URL as messages show it: the base may have had a name and a password.
fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), authority(url), url.path())
}
