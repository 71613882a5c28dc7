//! Signatures, which are beside the registry: in a directory, or on a web server. `registries.d` says where.
//!
//! ```text
//! BASE/REPOSITORY@sha256=HEX/signature-1, signature-2, …      HEX is that of the manifest's digest
//! ```
//!
//! Source: containers-registries.d(5); container-libs' docs/signature-protocols.md, "Lookaside".

mod mapping;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use reqwest::Url;

use self::mapping::{Node, parse};
use super::address::{Reach, authority};
use super::transport::{Audience, Request, Transport};
use super::{Error, Options, Places, SMALL_LIMIT};
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::replacement::Replacement;
use crate::types::{Digest, ImageReference, Report, ReportKind};

/// The most signatures of one image. Source: container-libs, `maxLookasideSignatures`.
pub(crate) const SIGNATURES: usize = 128;

/// Why rc does not know where signatures are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookasideError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] PathError),
    /// A file is invalid.
    #[error("cannot read `{}`: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two files speak of the same.
    #[error("`{scope}` is both in `{}` and in `{}`", .first.display(), .second.display())]
    Twice {
        /// The scope.
        scope: String,
        /// A file.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// rc writes only to directories.
    #[error("cannot write signatures to `{url}`: it is no directory")]
    ReadOnly {
        /// The place.
        url: String,
    },
    /// The place is no URL that rc can read.
    #[error("cannot read signatures from `{url}`: must be a URL of file, http or https")]
    Url {
        /// The place.
        url: String,
    },
}

impl From<LookasideError> for Report {
    fn from(error: LookasideError) -> Self {
        match error {
            LookasideError::File(error) => error.into(),
            LookasideError::ReadOnly { .. } => Self::new(ReportKind::Unsupported, error.to_string())
                .with_hint("name a directory in registries.d: `lookaside-staging: file:///DIRECTORY`"),
            other => Self::new(ReportKind::Invalid, other.to_string()),
        }
    }
}

/// What the files of `registries.d` say: the place of each scope.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    default: Urls,
    scopes: BTreeMap<String, Urls>,
    /// The place if they say nothing.
    usual: Option<String>,
}

impl Stores {
    /// Reads the files.
    pub(crate) fn read(places: &Places) -> Result<Self, LookasideError> {
        let usual = places.signatures.as_ref().map(|path| format!("file://{}", path.display()));
        let directory = places.registries_d();
        let mut files = match fs::paths_in(&directory) {
            Err(error) if error.is_not_found() => Vec::new(),
            other => other?,
        };
        files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
        files.sort();
        let mut stores = Self { usual, ..Self::default() };
        let mut origins = BTreeMap::new();
        for path in files {
            stores.add(&fs::read_regular(&path, SMALL_LIMIT)?, &path, &mut origins)?;
        }
        Ok(stores)
    }

    fn add(
        &mut self,
        bytes: &[u8],
        path: &Path,
        origins: &mut BTreeMap<String, PathBuf>,
    ) -> Result<(), LookasideError> {
        let fail = |reason: String| LookasideError::Format { path: path.to_owned(), reason };
        let text = std::str::from_utf8(bytes).map_err(|_| fail("it is not UTF-8".to_owned()))?;
        let mut first = |scope: &str| match origins.insert(scope.to_owned(), path.to_owned()) {
            Some(first) => Err(LookasideError::Twice { scope: scope.to_owned(), first, second: path.to_owned() }),
            None => Ok(()),
        };
        for (key, node) in parse(text).map_err(fail)? {
            match (key.as_str(), node) {
                ("default-docker", node) => {
                    first("default-docker")?;
                    self.default = place(&key, node).map_err(fail)?;
                }
                ("docker", Node::Mapping(scopes)) => {
                    for (scope, node) in scopes {
                        first(&scope)?;
                        let place = place(&scope, node).map_err(fail)?;
                        self.scopes.insert(scope, place);
                    }
                }
                (_, Node::Empty) => {}
                ("docker", Node::Text(_)) => return Err(fail("`docker` must be a mapping".to_owned())),
                (other, _) => return Err(fail(format!("unknown key `{other}`"))),
            }
        }
        Ok(())
    }

    /// The URL under which the signatures of all repositories are that the first of these scopes covers; those without
    /// one do not count.
    fn of(&self, scopes: &[String]) -> Option<&str> {
        self.find(scopes, |place| place.read.as_deref())
    }

    /// The same for new signatures.
    fn of_new(&self, scopes: &[String]) -> Option<&str> {
        self.find(scopes, |place| place.write.as_deref().or(place.read.as_deref()))
    }

    fn find<'s>(&'s self, scopes: &[String], url: impl Fn(&'s Urls) -> Option<&'s str>) -> Option<&'s str> {
        let found = scopes.iter().find_map(|scope| url(self.scopes.get(scope)?));
        found.or_else(|| url(&self.default)).or(self.usual.as_deref())
    }

    /// The same for a scope of policy.json.
    pub(crate) fn of_scope(&self, scope: &str) -> Option<&str> {
        let above = std::iter::successors(Some(scope), |scope| Some(scope.rsplit_once('/')?.0));
        self.of(&above.map(str::to_owned).collect::<Vec<_>>())
    }
}

/// The place of a section.
#[derive(Debug, Default)]
struct Urls {
    /// `lookaside`, or `sigstore`, its old name.
    read: Option<String>,
    /// `lookaside-staging`, or `sigstore-staging`: where new signatures are put.
    write: Option<String>,
}

/// The place of a section; other keys are for sigstore.
fn place(section: &str, node: Node) -> Result<Urls, String> {
    let entries = match node {
        Node::Mapping(entries) => entries,
        Node::Empty => return Ok(Urls::default()),
        Node::Text(_) => return Err(format!("`{section}` must be a mapping")),
    };
    let mut found = Urls::default();
    for (key, node) in entries {
        match (key.as_str(), node) {
            ("lookaside", Node::Text(url)) => found.read = Some(url),
            ("sigstore", Node::Text(url)) => found.read = found.read.or(Some(url)),
            ("lookaside-staging", Node::Text(url)) => found.write = Some(url),
            ("sigstore-staging", Node::Text(url)) => found.write = found.write.or(Some(url)),
            ("lookaside" | "sigstore" | "lookaside-staging" | "sigstore-staging", Node::Mapping(_)) => {
                return Err(format!("`{key}` of `{section}` must be a URL"));
            }
            _ => {}
        }
    }
    let [read, write] = [found.read, found.write].map(|url| url.filter(|url| !url.is_empty()));
    Ok(Urls { read, write })
}

/// Where the signatures of a repository are.
#[derive(Debug)]
pub(crate) struct Lookaside {
    base: Url,
}

impl Lookaside {
    /// The place for an image, by the name that it has where it is pulled from.
    pub(crate) fn of(reference: &ImageReference, places: &Places) -> Result<Self, LookasideError> {
        Self::below(Stores::read(places)?.of(&reference.scopes()).unwrap_or_default(), reference)
    }

    /// The place for new signatures of an image: a directory.
    pub(crate) fn for_new(reference: &ImageReference, places: &Places) -> Result<Self, LookasideError> {
        let found = Self::below(Stores::read(places)?.of_new(&reference.scopes()).unwrap_or_default(), reference)?;
        let is_directory = found.base.scheme() == "file";
        if is_directory { Ok(found) } else { Err(LookasideError::ReadOnly { url: found.base.to_string() }) }
    }

    fn below(base: &str, reference: &ImageReference) -> Result<Self, LookasideError> {
        let fail = || LookasideError::Url { url: base.to_owned() };
        let mut url: Url = base.parse().map_err(|_| fail())?;
        if !matches!(url.scheme(), "file" | "http" | "https") || url.query().is_some() {
            return Err(fail());
        }
        // The grammar of repositories has neither `..` nor anything that a URL would quote.
        let path = format!("{}/{}", url.path().trim_end_matches('/'), reference.repository());
        url.set_path(&path);
        Ok(Self { base: url })
    }

    /// The URL of the first signature of a manifest.
    pub(crate) fn at(&self, manifest: &Digest) -> String {
        self.url(manifest, 1).to_string()
    }

    fn url(&self, manifest: &Digest, number: usize) -> Url {
        let mut url = self.base.clone();
        let (algorithm, hex) = (manifest.algorithm().as_str(), manifest.hex());
        url.set_path(&format!("{}@{algorithm}={hex}/signature-{number}", self.base.path()));
        url
    }

    /// Makes this the only signature of a manifest, as podman and skopeo do.
    pub(crate) fn write(&self, manifest: &Digest, signature: &[u8]) -> Result<(), LookasideError> {
        let path = |number: usize| {
            let url = self.url(manifest, number);
            url.to_file_path().map_err(|()| LookasideError::ReadOnly { url: url.to_string() })
        };
        let first = path(1)?;
        if let Some(directory) = first.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut file = Replacement::begin(&first, 0o666)?;
        file.write_all(signature).at("write", &first)?;
        file.finish()?;
        for number in 2..=SIGNATURES {
            match fs::remove_file(path(number)?) {
                Err(error) if error.is_not_found() => break,
                other => other?,
            }
        }
        Ok(())
    }

    /// The signatures of a manifest, as many as there are.
    pub(crate) async fn signatures(&self, manifest: &Digest, options: &Options) -> Result<Vec<Vec<u8>>, Error> {
        // The place is of the user's choice; its server gets no credentials.
        let transport = Transport::new(options);
        let mut signatures = Vec::new();
        while signatures.len() < SIGNATURES {
            let url = self.url(manifest, signatures.len() + 1);
            let found = match url.to_file_path() {
                Ok(path) if url.scheme() == "file" => match fs::read_regular(&path, SMALL_LIMIT) {
                    Err(error) if error.is_not_found() => None,
                    other => Some(other?),
                },
                _ => fetch(&transport, url).await?,
            };
            let Some(signature) = found else { break };
            signatures.push(signature);
        }
        Ok(signatures)
    }
}

/// A signature from a web server; `None` if it has none there.
async fn fetch(transport: &Transport, url: Url) -> Result<Option<Vec<u8>>, Error> {
    let request = Request { audience: Audience::Anybody(Reach::Loopback), ..Request::get(url) };
    let response = transport.send(&request).await?;
    match response.status().as_u16() {
        200 => Ok(Some(transport.read(response, "signature", SMALL_LIMIT).await?)),
        404 => Ok(None),
        status => {
            let (host, subject) = (authority(response.url()), request.url.to_string());
            Err(Error::Status { host, status, subject, message: String::new() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores(files: &[&str]) -> Result<Stores, String> {
        let mut stores = Stores { usual: Some("file:///usual".to_owned()), ..Stores::default() };
        let mut origins = BTreeMap::new();
        for (text, number) in files.iter().zip(1..) {
            let path = PathBuf::from(format!("{number}.yaml"));
            stores.add(text.as_bytes(), &path, &mut origins).map_err(|error| error.to_string())?;
        }
        Ok(stores)
    }

    #[test]
    fn the_narrowest_scope_that_has_a_place_decides() {
        let first = [
            "# c",
            "docker:",
            "  h.io:",
            "    lookaside: https://h.example/x",
            "  h.io:5000/a/b:",
            "    sigstore: 'file:///b'",
            "  h.io:5000/a/b:branch:",
            "    sigstore: http://old",
            "    lookaside: http://new # c",
            "  h.io/a/b:",
            "    lookaside-staging: file:///s",
        ];
        let first = first.join("\n");
        let stores = stores(&[&first, "default-docker:\n    lookaside: file:///d\n"]).expect("two files");
        for (name, expected) in [
            ("h.io/x:1", "https://h.example/x"),
            ("h.io:5000/a/b:1", "file:///b"),
            ("h.io:5000/a/b:branch", "http://new"),
            ("h.io/a/b", "https://h.example/x"),
            ("h.io:5000/x", "file:///d"),
        ] {
            let reference: ImageReference = name.parse().expect("a name");
            assert_eq!(stores.of(&reference.scopes()), Some(expected), "{name}");
        }
        let reference: ImageReference = "h.io/a/b".parse().expect("a name");
        assert_eq!(stores.of_new(&reference.scopes()), Some("file:///s"));
        let reference: ImageReference = "h.io:5000/a/b:1".parse().expect("a name");
        assert_eq!(stores.of_new(&reference.scopes()), Some("file:///b"));
        assert_eq!(stores.of_scope("h.io/a/c"), Some("https://h.example/x"));
        assert_eq!(stores.of_scope("other"), Some("file:///d"));
        assert_eq!(self::stores(&[""]).expect("no file").of_scope("x"), Some("file:///usual"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (files, reason) in [
            (&["docker:\n  a:\n    sigstore: x\n", "docker:\n  a:\n    sigstore: y\n"][..], "`a` is both in `1.yaml`"),
            (&["default-docker:\n", "default-docker:\n"], "`default-docker` is both in"),
            (&["docker: x\n"], "cannot read `1.yaml`: `docker` must be a mapping"),
            (&["podman:\n  x: y\n"], "cannot read `1.yaml`: unknown key `podman`"),
            (&["docker:\n  a: b\n"], "cannot read `1.yaml`: `a` must be a mapping"),
            (&["docker:\n  - a\n"], "cannot read `1.yaml`: line 2"),
        ] {
            let error = stores(files).map(drop).expect_err("a mistake");
            assert!(error.starts_with(reason), "{error}");
        }
    }

    #[test]
    fn a_signature_has_the_digest_of_its_manifest_in_its_url() {
        let base = "https://h.example:8080/sig/app".parse().expect("a URL");
        let digest = format!("sha256:{}", "a".repeat(64)).parse().expect("a digest");
        let expected = format!("https://h.example:8080/sig/app@sha256={}/signature-1", "a".repeat(64));
        assert_eq!(Lookaside { base }.at(&digest), expected);
    }
}
