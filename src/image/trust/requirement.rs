//! What policy.json may require of an image. Source: containers-policy.json(5), "Policy Requirements".

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::identity::Identity;
use super::{Error, keys};

/// A requirement; of a list, all must be met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum Requirement {
    /// Any image meets it.
    InsecureAcceptAnything,
    /// No image meets it.
    Reject,
    /// A signature of simple signing by one of these keys.
    SignedBy(SignedBy),
    /// A signature of sigstore, which rc does not verify.
    SigstoreSigned(Map<String, Value>),
    /// A signature of a base image, which no program verifies.
    SignedBaseLayer(Map<String, Value>),
}

impl Requirement {
    /// podman's word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::InsecureAcceptAnything => "accept",
            Self::Reject => "reject",
            Self::SignedBy(_) => "signed",
            Self::SigstoreSigned(_) => "sigstoreSigned",
            Self::SignedBaseLayer(_) => "signedBaseLayer",
        }
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::SignedBy(signed) => signed.fault(),
            _ => None,
        }
    }
}

/// The keys, and what a signature must say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignedBy {
    key_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_paths: Option<Vec<PathBuf>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signed_identity: Option<Identity>,
}

/// The only kind of keys.
const GPG_KEYS: &str = "GPGKeys";

impl SignedBy {
    /// The requirement of a signature by a key in this file.
    pub(super) fn key_of(path: &Path) -> Self {
        Self { key_type: GPG_KEYS.to_owned(), key_path: Some(path.to_owned()), ..Self::default() }
    }

    fn fault(&self) -> Option<String> {
        if self.key_type != GPG_KEYS {
            return Some(format!("`keyType` is `{}`, and must be `{GPG_KEYS}`", self.key_type));
        }
        let given = [self.key_path.is_some(), self.key_paths.is_some(), self.key_data.is_some()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Some("`signedBy` needs one of `keyPath`, `keyPaths` and `keyData`".to_owned());
        }
        if self.key_paths.as_ref().is_some_and(Vec::is_empty) {
            return Some("`keyPaths` is empty".to_owned());
        }
        self.signed_identity.as_ref().and_then(Identity::fault)
    }

    /// The files that it names.
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.key_path.iter().chain(self.key_paths.iter().flatten())
    }

    /// The keyrings, binary.
    pub(super) fn keyrings(&self) -> Result<Vec<Vec<u8>>, Error> {
        let bad = |subject: String| move |reason: String| Error::Key { subject, reason };
        let mut keyrings = Vec::new();
        for path in self.paths() {
            keyrings.push(keys::read(path)?.map_err(bad(path.display().to_string()))?);
        }
        if let Some(data) = &self.key_data {
            keyrings.push(keys::decode(data).map_err(bad("keyData".to_owned()))?);
        }
        Ok(keyrings)
    }

    /// Whose keys these are; empty if they cannot be read.
    pub(crate) fn owners(&self) -> Vec<String> {
        self.keyrings().unwrap_or_default().iter().flat_map(|keyring| keys::owners(keyring)).collect()
    }
}
