//! Auth files: `{"auths": {"HOST[/PATH]": {"auth": BASE64}}, "credHelpers": {HOST: NAME}, "credsStore": NAME}`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::types::{ImageReference, Invalid};

/// What is logged in to: a registry, or a part of it. As podman, rc accepts `HOST[:PORT][/PATH]`, and a URL for its
/// host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    whole: String,
}

impl Server {
    /// Parses what the user typed.
    pub(crate) fn parse(typed: &str) -> Result<Self, Invalid> {
        let whole = bare(typed.trim_end_matches('/'));
        let (host, path) = whole.split_once('/').unwrap_or((whole, ""));
        let host = if host == "index.docker.io" || host == "registry-1.docker.io" { "docker.io" } else { host };
        let parses = |name: String| name.parse::<ImageReference>().is_ok();
        let is_host = match host.contains(['.', ':']) || host == "localhost" {
            true => parses(format!("{host}/x")),
            false => {
                let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
                !host.is_empty() && !host.starts_with('-') && !host.ends_with('-') && host.bytes().all(fine)
            }
        };
        let is_path = path.is_empty() || (!path.contains([':', '@']) && parses(format!("localhost/{path}")));
        if !is_host || !is_path {
            let reason = "must be HOST[:PORT], or HOST[:PORT]/REPOSITORY without a tag";
            return Err(Invalid::new("registry", typed, reason));
        }
        let whole = if path.is_empty() { host.to_owned() } else { format!("{host}/{path}") };
        Ok(Self { whole })
    }

    /// Host and port, as `docker.io`.
    pub(crate) fn registry(&self) -> &str {
        self.whole.split('/').next().unwrap_or_default()
    }

    /// The part of the registry, as `team`; empty for all of it.
    pub(super) fn path(&self) -> &str {
        self.whole.split_once('/').map_or("", |(_, path)| path)
    }

    /// As it is a key in an auth file.
    pub(super) fn as_str(&self) -> &str {
        &self.whole
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

/// What rc reads of an auth file.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthFile {
    #[serde(default)]
    pub(super) auths: BTreeMap<String, Entry>,
    #[serde(default)]
    pub(super) cred_helpers: BTreeMap<String, String>,
    pub(super) creds_store: Option<String>,
}

/// The credentials for one key.
#[derive(Deserialize, Default)]
pub(super) struct Entry {
    pub(super) auth: Option<String>,
    pub(super) identitytoken: Option<String>,
}

/// A key without what old docker versions put around the host: `https://HOST/v1/`.
pub(super) fn bare(key: &str) -> &str {
    match key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")) {
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None => key.trim_end_matches('/'),
    }
}

/// Whether a key is for this repository: the same host and port, and then whole components of its path (safety.md R4).
pub(super) fn is_for(key: &str, registry: &str, repository: &str) -> bool {
    let (host, path) = host_and_path(key);
    let rest = repository.strip_prefix(path);
    host == registry && rest.is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

/// Whether a key is this server, however it is spelled.
pub(super) fn is_same(key: &str, server: &Server) -> bool {
    host_and_path(key) == (server.registry(), server.path())
}

fn host_and_path(key: &str) -> (&str, &str) {
    let key = bare(key);
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    (if host == "index.docker.io" { "docker.io" } else { host }, path)
}
