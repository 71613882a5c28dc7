//! policy.json: which images may come into the store. Source: containers-policy.json(5).
//!
//! The longest scope of a name decides, then the default of its transport, then that of all. What it requires of the
//! image beside its name is a [`Demand`], which a pull or a load checks when it has the manifest:
//!
//! ```text
//! policy.json ── Policy ── demand(name) ─→ rejected, or Demand ── check(manifest, signatures)
//!                                                              ├── gpgv       signed by one of the keys
//!                                                              └── signature  for this manifest, and (identity) name
//! ```

mod gpgv;
mod identity;
mod keys;
mod requirement;
mod signature;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::requirement::{Requirement, SignedBy};

use crate::sys::fs::{self, Durability, PathError};
use crate::types::{ImageReference, Report, ReportKind, json};

/// The maximum size of the file, in bytes.
const LIMIT: u64 = 1 << 20;

/// Why an image may not come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file, or a key, cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
    /// The file is no policy.
    #[error("cannot read `{}`: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key cannot be used.
    #[error("cannot read the key `{subject}`: {reason}")]
    Key {
        /// Its file.
        subject: String,
        /// What is wrong.
        reason: String,
    },
    /// The policy rejects it.
    #[error("`{subject}` is rejected by `{}` ({scope})", .path.display())]
    Rejected {
        /// The image.
        subject: String,
        /// The scope that decided.
        scope: String,
        /// The file.
        path: PathBuf,
    },
    /// The policy requires what rc does not verify.
    #[error("`{}` requires `{kind}` of `{subject}` ({scope}), which rc does not verify", .path.display())]
    Unsupported {
        /// The image.
        subject: String,
        /// The requirement.
        kind: &'static str,
        /// The scope that decided.
        scope: String,
        /// The file.
        path: PathBuf,
    },
    /// No signature meets a requirement.
    #[error("`{}` requires a signature of `{subject}` ({scope}): {reason}", .path.display())]
    Signature {
        /// The image.
        subject: String,
        /// The scope that decided.
        scope: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with those that it has.
        reason: String,
        /// How the user can fix it.
        hint: Option<String>,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let (kind, hint) = match error {
            Error::File(error) => return error.into(),
            Error::Format { .. } | Error::Key { .. } => (ReportKind::Invalid, None),
            Error::Rejected { .. } => {
                (ReportKind::Denied, Some("`rc image trust show` lists what is accepted".to_owned()))
            }
            Error::Unsupported { .. } => {
                let hint = "verify it with `skopeo copy docker://IMAGE oci-archive:FILE`, and load the file with \
                            `rc load`";
                (ReportKind::Denied, Some(hint.to_owned()))
            }
            Error::Signature { hint, .. } => (ReportKind::Denied, hint),
        };
        Self::new(kind, message).with_hint_of(hint)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    default: Vec<Requirement>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    transports: BTreeMap<String, BTreeMap<String, Vec<Requirement>>>,
}

/// A policy, and the file that it is from; without a file, everything is accepted.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    document: Document,
    path: Option<PathBuf>,
}

/// A line of a policy.
#[derive(Debug)]
pub(crate) struct Row<'p> {
    /// podman's name of the transport; `all` for the default.
    pub(crate) transport: &'p str,
    /// The scope; `None` for the default.
    pub(crate) scope: Option<&'p str>,
    /// What is required.
    pub(crate) requirement: &'p Requirement,
}

impl Policy {
    /// Reads the first of these files that exists.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        for path in paths {
            match fs::read_limited(path, LIMIT) {
                Err(error) if error.is_not_found() => {}
                other => return Self::parse(&other?, path),
            }
        }
        let default = vec![Requirement::InsecureAcceptAnything];
        Ok(Self { document: Document { default, transports: BTreeMap::new() }, path: None })
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let fail = |reason: String| Error::Format { path: path.to_owned(), reason };
        let document: Document = json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        let scopes = document.transports.values().flat_map(BTreeMap::values);
        for requirements in scopes.chain([&document.default]) {
            if requirements.is_empty() {
                return Err(fail("a list of requirements is empty".to_owned()));
            }
            if let Some(fault) = requirements.iter().find_map(Requirement::fault) {
                return Err(fail(fault));
            }
        }
        Ok(Self { document, path: Some(path.to_owned()) })
    }

    /// What it demands of an image of a registry. Fails if it rejects it.
    pub(crate) fn demand(&self, reference: &ImageReference) -> Result<Demand, Error> {
        let reference = reference.decided();
        let scopes = reference.scopes();
        self.demand_of("docker", reference.to_string(), &scopes, Some(reference))
    }

    /// What it demands of the images of an archive or a directory, by podman's name of its format; `path` is absolute.
    /// Fails if it rejects them.
    pub(crate) fn demand_of_archive(&self, transport: &str, path: &Path) -> Result<Demand, Error> {
        let above = path.ancestors().filter(|path| path.parent().is_some());
        // Source: container-libs, `PolicyConfigurationNamespaces`: a docker-archive has no scopes.
        let above = above.take(if transport == "docker-archive" { 0 } else { usize::MAX });
        let scopes: Vec<String> = above.map(|path| path.display().to_string()).collect();
        self.demand_of(transport, path.display().to_string(), &scopes, None)
    }

    fn demand_of(
        &self,
        transport: &str,
        subject: String,
        scopes: &[String],
        image: Option<ImageReference>,
    ) -> Result<Demand, Error> {
        let Some(path) = &self.path else { return Ok(Demand::default()) };
        let of_transport = self.document.transports.get(transport);
        let by_scope = scopes.iter().find_map(|scope| Some((scope.as_str(), of_transport?.get(scope)?)));
        let by_transport = || Some((transport, of_transport?.get("")?));
        let (scope, requirements) = by_scope.or_else(by_transport).unwrap_or(("default", &self.document.default));
        let (scope, path) = (scope.to_owned(), path.clone());
        if requirements.contains(&Requirement::Reject) {
            return Err(Error::Rejected { subject, scope, path });
        }
        let mut signed = Vec::new();
        for requirement in requirements {
            match requirement {
                Requirement::InsecureAcceptAnything | Requirement::Reject => {}
                Requirement::SignedBy(it) => signed.push(it.clone()),
                Requirement::SigstoreSigned(_) | Requirement::SignedBaseLayer(_) => {
                    return Err(Error::Unsupported { subject, kind: requirement.word(), scope, path });
                }
            }
        }
        Ok(Demand { subject, scope, path, image, signed })
    }

    /// The default, and then what is required in each scope.
    pub(crate) fn rows(&self) -> Vec<Row<'_>> {
        let row = |transport, scope| move |requirement| Row { transport, scope, requirement };
        let mut rows: Vec<Row<'_>> = self.document.default.iter().map(row("all", None)).collect();
        for (transport, scopes) in &self.document.transports {
            let transport = if transport == "docker" { "repository" } else { transport };
            for (scope, requirements) in scopes {
                rows.extend(requirements.iter().map(row(transport, Some(scope))));
            }
        }
        rows
    }

    /// The document, as it is in the file.
    pub(crate) fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&self.document)
    }

    /// Sets what is required in a scope of registries, or by `default`, and writes the policy to `path`.
    pub(crate) fn set(&mut self, scope: &str, requirements: Vec<Requirement>, path: &Path) -> Result<(), Error> {
        if scope == "default" {
            self.document.default = requirements;
        } else {
            self.document.transports.entry("docker".to_owned()).or_default().insert(scope.to_owned(), requirements);
        }
        let fail = |error: serde_json::Error| Error::Format { path: path.to_owned(), reason: error.to_string() };
        let text = self.text().map_err(fail)? + "\n";
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        Ok(fs::replace(path, text.as_bytes(), Durability::Synced)?)
    }
}

/// The requirement of a signature by a key in this file, which must have one.
pub(crate) fn signed_by(path: &Path) -> Result<Requirement, Error> {
    let signed = SignedBy::key_of(path);
    signed.keyrings()?;
    Ok(Requirement::SignedBy(signed))
}

/// What a policy demands of an image that it does not reject; by default nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    subject: String,
    scope: String,
    path: PathBuf,
    /// The image; archives do not name theirs.
    image: Option<ImageReference>,
    signed: Vec<SignedBy>,
}

impl Demand {
    /// Whether signatures are needed.
    pub(crate) fn needs_signatures(&self) -> bool {
        !self.signed.is_empty()
    }

    /// Checks that each requirement is met by one of these signatures, which were found `place`, as
    /// `at URL`.
    pub(crate) fn check(&self, manifest: &[u8], signatures: &[Vec<u8>], place: &str) -> Result<(), Error> {
        let signed = signature::Signed { manifest, image: self.image.as_ref() };
        for required in &self.signed {
            let keyrings = required.keyrings()?;
            let mut reasons = Vec::new();
            let mut hint = None;
            let is_met = signatures.iter().any(|it| match signature::check(it, required, &keyrings, &signed) {
                Ok(()) => true,
                Err(error) => {
                    reasons.push(error.to_string());
                    hint = hint.take().or_else(|| error.hint());
                    false
                }
            });
            if is_met {
                continue;
            }
            let reason = match &reasons[..] {
                [] => format!("there is none {place}"),
                [one] => one.clone(),
                several => {
                    let numbered = several.iter().zip(1..).map(|(reason, number)| format!("{number}: {reason}"));
                    format!("none of {} does ({})", several.len(), numbered.collect::<Vec<_>>().join("; "))
                }
            };
            let (subject, scope, path) = (self.subject.clone(), self.scope.clone(), self.path.clone());
            return Err(Error::Signature { subject, scope, path, reason, hint });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Result<Policy, String> {
        Policy::parse(text.as_bytes(), Path::new("/c/policy.json")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_narrowest_scope_decides() {
        let policy = policy(
            r#"{"default": [{"type": "reject"}], "transports": {"docker": {
                "": [{"type": "insecureAcceptAnything"}],
                "docker.io": [{"type": "reject"}],
                "docker.io/library": [{"type": "insecureAcceptAnything"}],
                "docker.io/library/bad:1": [{"type": "reject"}],
                "*.inner.io": [{"type": "sigstoreSigned", "keyPath": "/k"}]
            }, "dir": {"/a/b": [{"type": "insecureAcceptAnything"}]}}}"#,
        )
        .expect("a policy");
        for (name, expected) in [
            ("h.io/app", None),
            ("me/app", Some("`docker.io/me/app:latest` is rejected by `/c/policy.json` (docker.io)")),
            ("busybox", None),
            ("bad:1", Some("`docker.io/library/bad:1` is rejected by `/c/policy.json` (docker.io/library/bad:1)")),
            ("bad:2", None),
            (
                "a.b.inner.io/x",
                Some(
                    "`/c/policy.json` requires `sigstoreSigned` of `a.b.inner.io/x:latest` (*.inner.io), which rc \
                     does not verify",
                ),
            ),
            ("inner.io/x", None),
        ] {
            let found = policy.demand(&name.parse().expect("a name")).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
        let archive = policy.demand_of_archive("docker-archive", Path::new("/a.tar")).expect_err("rejected");
        assert_eq!(archive.to_string(), "`/a.tar` is rejected by `/c/policy.json` (default)");
        assert!(policy.demand_of_archive("dir", Path::new("/a/b/c")).is_ok());
        assert!(policy.demand_of_archive("dir", Path::new("/a/bc")).is_err());
    }

    #[test]
    fn without_a_file_everything_is_accepted_and_mistakes_are_named() {
        let none = Policy::read(&[PathBuf::from("/nowhere/policy.json")]).expect("no file");
        assert!(none.demand(&"x".parse().expect("a name")).is_ok() && none.path.is_none());
        for (bad, reason) in [
            ("{}", "missing field `default`"),
            (r#"{"default": []}"#, "a list of requirements is empty"),
            (r#"{"default": [{"type": "maybe"}]}"#, "unknown variant `maybe`"),
            (r#"{"default": [{"type": "reject"}], "defaults": []}"#, "unknown field `defaults`"),
            (r#"{"default": [{"type": "signedBy", "keyType": "GPGKeys"}]}"#, "`signedBy` needs one of `keyPath`"),
            (r#"{"default": [{"type": "signedBy", "keyType": "X", "keyPath": "/k"}]}"#, "`keyType` is `X`"),
            (
                r#"{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k", "keyData": ""}]}"#,
                "`signedBy` needs one of",
            ),
            (
                r#"{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k", "keys": ""}]}"#,
                "unknown field `keys`",
            ),
            (
                r#"{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k",
                   "signedIdentity": {"type": "exactReference", "dockerReference": "h.io/x"}}]}"#,
                "`h.io/x` needs a tag or a digest",
            ),
        ] {
            let error = policy(bad).map(drop).expect_err("a mistake");
            assert!(error.starts_with("cannot read `/c/policy.json`: ") && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_policy_is_written_as_it_was_read() {
        let text = r#"{
  "default": [
    {
      "type": "signedBy",
      "keyType": "GPGKeys",
      "keyPaths": [
        "/a",
        "/b"
      ],
      "signedIdentity": {
        "type": "remapIdentity",
        "prefix": "h.io",
        "signedPrefix": "v.io"
      }
    },
    {
      "type": "sigstoreSigned",
      "keyPath": "/k"
    }
  ]
}"#;
        assert_eq!(policy(text).expect("a policy").text().expect("a text"), text);
    }
}
