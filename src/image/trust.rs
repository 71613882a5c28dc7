//! policy.json: which images may come into the store. Source: containers-policy.json(5).
//!
//! The longest scope of a name decides, then the default of its transport, then that of all. rc verifies no signatures:
//! where one is required, the image is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sys::fs::{self, Durability, PathError};
use crate::types::{ImageReference, Report, ReportKind, json};

/// The maximum size of the file, in bytes.
const LIMIT: u64 = 1 << 20;

/// Why an image may not come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read or written.
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
    /// The policy requires a signature.
    #[error("`{}` requires a signature for `{subject}` ({scope}), and rc verifies none", .path.display())]
    Signature {
        /// The image.
        subject: String,
        /// The scope that decided.
        scope: String,
        /// The file.
        path: PathBuf,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::Rejected { .. } => "`rc image trust show` lists what is accepted",
            Error::Signature { .. } => {
                "verify it with `skopeo copy docker://IMAGE oci-archive:FILE`, and load the file with `rc load`"
            }
            Error::File(_) | Error::Format { .. } => "",
        };
        let message = error.to_string();
        match error {
            Error::File(error) => error.into(),
            Error::Format { .. } => Self::new(ReportKind::Invalid, message),
            Error::Rejected { .. } | Error::Signature { .. } => Self::new(ReportKind::Denied, message).with_hint(hint),
        }
    }
}

/// What a policy says about a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// `insecureAcceptAnything`.
    Accept,
    /// `reject`.
    Reject,
    /// `signedBy` or `sigstoreSigned`.
    Signed,
}

impl Verdict {
    /// podman's word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Signed => "signed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Document {
    default: Vec<Requirement>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    transports: BTreeMap<String, BTreeMap<String, Vec<Requirement>>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Requirement {
    #[serde(rename = "type")]
    kind: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A policy, and the file that it is from; without a file, everything is accepted.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    document: Document,
    path: Option<PathBuf>,
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
        let document = Document { default: vec![requirement(Verdict::Accept)], transports: BTreeMap::new() };
        Ok(Self { document, path: None })
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let fail = |reason: String| Error::Format { path: path.to_owned(), reason };
        let document: Document = json::from_slice(bytes).map_err(|error| fail(error.to_string()))?;
        let scopes = document.transports.values().flat_map(BTreeMap::values);
        for requirements in scopes.chain([&document.default]) {
            if requirements.is_empty() {
                return Err(fail("a list of requirements is empty".to_owned()));
            }
            if let Some(unknown) = requirements.iter().find(|it| verdict_of(it).is_none()) {
                return Err(fail(format!("unknown requirement `{}`", unknown.kind)));
            }
        }
        Ok(Self { document, path: Some(path.to_owned()) })
    }

    /// Checks an image of a registry.
    pub(crate) fn check_image(&self, reference: &ImageReference) -> Result<(), Error> {
        let whole = reference.to_string();
        self.check(&whole, "docker", &scopes(&whole, &reference.name(), reference.registry()))
    }

    /// Checks an archive or a directory, by podman's name of its format.
    pub(crate) fn check_archive(&self, transport: &str, path: &str) -> Result<(), Error> {
        self.check(path, transport, &[path.to_owned()])
    }

    fn check(&self, subject: &str, transport: &str, scopes: &[String]) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let of_transport = self.document.transports.get(transport);
        let by_scope = scopes.iter().find_map(|scope| Some((scope.as_str(), of_transport?.get(scope)?)));
        let by_transport = || Some((transport, of_transport?.get("")?));
        let (scope, requirements) = by_scope.or_else(by_transport).unwrap_or(("default", &self.document.default));
        let (subject, scope, path) = (subject.to_owned(), scope.to_owned(), path.clone());
        match worst(requirements) {
            Verdict::Accept => Ok(()),
            Verdict::Reject => Err(Error::Rejected { subject, scope, path }),
            Verdict::Signed => Err(Error::Signature { subject, scope, path }),
        }
    }

    /// The default, and then each scope: its transport, its name, and what is said about it.
    pub(crate) fn rows(&self) -> Vec<(String, String, Verdict)> {
        let mut rows = vec![("all".to_owned(), "default".to_owned(), worst(&self.document.default))];
        for (transport, scopes) in &self.document.transports {
            let transport = if transport == "docker" { "repository" } else { transport };
            rows.extend(scopes.iter().map(|(scope, it)| (transport.to_owned(), scope.clone(), worst(it))));
        }
        rows
    }

    /// The document, as it is in the file.
    pub(crate) fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&self.document)
    }

    /// Sets what is said about a scope of registries, or about `default`, and writes the policy to `path`.
    pub(crate) fn set(&mut self, scope: &str, verdict: Verdict, path: &Path) -> Result<(), Error> {
        let requirements = vec![requirement(verdict)];
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

fn requirement(verdict: Verdict) -> Requirement {
    let kind = if verdict == Verdict::Reject { "reject" } else { "insecureAcceptAnything" };
    Requirement { kind: kind.to_owned(), rest: Map::new() }
}

fn verdict_of(requirement: &Requirement) -> Option<Verdict> {
    match requirement.kind.as_str() {
        "insecureAcceptAnything" => Some(Verdict::Accept),
        "reject" => Some(Verdict::Reject),
        "signedBy" | "sigstoreSigned" | "signedBaseLayer" => Some(Verdict::Signed),
        _ => None,
    }
}

/// All requirements must be met, so that the strictest decides.
fn worst(requirements: &[Requirement]) -> Verdict {
    let verdicts = || requirements.iter().filter_map(verdict_of);
    let has = |wanted| verdicts().any(|verdict| verdict == wanted);
    match () {
        () if has(Verdict::Reject) => Verdict::Reject,
        () if has(Verdict::Signed) => Verdict::Signed,
        () => Verdict::Accept,
    }
}

/// The scopes of an image, the narrowest first: its whole name, its repository, what is above that, its host, and the
/// domains above that.
fn scopes(whole: &str, name: &str, host: &str) -> Vec<String> {
    let mut scopes = vec![whole.to_owned()];
    let mut rest = name;
    loop {
        scopes.push(rest.to_owned());
        match rest.rsplit_once('/') {
            Some((above, _)) => rest = above,
            None => break,
        }
    }
    let mut domain = host;
    while let Some((_, above)) = domain.split_once('.') {
        scopes.push(format!("*.{above}"));
        domain = above;
    }
    scopes
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
                "*.inner.io": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}]
            }}}"#,
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
                    "`/c/policy.json` requires a signature for `a.b.inner.io/x:latest` (*.inner.io), and rc verifies \
                     none",
                ),
            ),
            ("inner.io/x", None),
        ] {
            let found = policy.check_image(&name.parse().expect("a name")).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
        let archive = policy.check_archive("docker-archive", "a.tar").expect_err("rejected").to_string();
        assert_eq!(archive, "`a.tar` is rejected by `/c/policy.json` (default)");
    }

    #[test]
    fn without_a_file_everything_is_accepted_and_mistakes_are_named() {
        let none = Policy::read(&[PathBuf::from("/nowhere/policy.json")]).expect("no file");
        assert!(none.check_image(&"x".parse().expect("a name")).is_ok() && none.path.is_none());
        for (bad, reason) in [
            ("{}", "missing field `default`"),
            (r#"{"default": []}"#, "a list of requirements is empty"),
            (r#"{"default": [{"type": "maybe"}]}"#, "unknown requirement `maybe`"),
        ] {
            let error = policy(bad).map(drop).expect_err("a mistake");
            assert!(error.starts_with("cannot read `/c/policy.json`: ") && error.contains(reason), "{error}");
        }
    }
}
