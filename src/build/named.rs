//! `--build-context NAME=…`: what FROM, `COPY --from` and mounts find under a name.
//!
//! Source: docker-buildx-build(1), `--build-context`; podman-build(1), `--build-context`.

use super::git;
use crate::types::{ImageReference, Invalid};

/// A named context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedContext {
    /// The name, in lower case, as FROM compares it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) place: ContextPlace,
}

/// What a context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContextPlace {
    /// A directory or an archive of the host.
    Path(String),
    /// An archive, or a Dockerfile.
    Url(String),
    /// A repository.
    Git(Box<git::GitUrl>),
    /// An image.
    Image(ImageReference),
    /// An image in a directory with an image layout.
    Layout {
        /// The directory.
        directory: String,
        /// Its name there: a tag, a digest, or nothing if there is one image.
        name: Option<String>,
    },
    /// Another stage, or another target of the same build.
    Target(String),
    /// Standard input.
    Standard,
}

impl NamedContext {
    /// Reads `--build-context`.
    pub(crate) fn new(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: &str| Invalid::new("named context", text, reason);
        let (name, place) = text.split_once('=').ok_or_else(|| invalid("must be NAME=PLACE"))?;
        if name.is_empty() || place.is_empty() || name.contains(char::is_whitespace) {
            return Err(invalid("must be NAME=PLACE"));
        }
        Ok(Self { name: short(&name.to_lowercase()).to_owned(), place: ContextPlace::new(place)? })
    }
}

/// A name as contexts have it: `alpine`, `docker.io/library/alpine` and `alpine:latest` are one. Source: BuildKit,
/// `namedContext`.
pub(crate) fn short(name: &str) -> &str {
    let name = name.strip_suffix(":latest").unwrap_or(name);
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

impl ContextPlace {
    /// The stage that it is.
    pub(crate) fn stage(&self) -> Option<String> {
        if let Self::Target(stage) = self { Some(stage.to_lowercase()) } else { None }
    }

    /// Reads a place; also for the context of the build itself, which cannot be an image or a stage.
    pub(crate) fn new(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: &str| Invalid::new("context", text, reason);
        for scheme in ["docker-image://", "container-image://"] {
            if let Some(name) = text.strip_prefix(scheme) {
                return Ok(Self::Image(name.parse()?));
            }
        }
        if let Some(name) = text.strip_prefix("target:") {
            return if name.is_empty() {
                Err(invalid("needs a stage after `target:`"))
            } else {
                Ok(Self::Target(name.to_owned()))
            };
        }
        if let Some(place) = text.strip_prefix("oci-layout://").or_else(|| text.strip_prefix("oci-layout:")) {
            return layout(place).ok_or_else(|| invalid("needs a directory after `oci-layout://`"));
        }
        if text == "-" {
            return Ok(Self::Standard);
        }
        if git::is_git(text) {
            return Ok(Self::Git(Box::new(git::GitUrl::new(text)?)));
        }
        match text.split_once("://") {
            Some(("http" | "https", rest)) if !rest.is_empty() => Ok(Self::Url(text.to_owned())),
            Some((scheme, _)) => Err(invalid(&format!("rc has no contexts of `{}://`", scheme.escape_debug()))),
            None if text.is_empty() => Err(invalid("must not be empty")),
            None => Ok(Self::Path(text.to_owned())),
        }
    }
}

/// `DIRECTORY[:TAG][@DIGEST]`.
fn layout(place: &str) -> Option<ContextPlace> {
    let (before, digest) = place.split_once('@').map_or((place, None), |(place, digest)| (place, Some(digest)));
    let (directory, tag) = match before.rsplit_once(':') {
        Some((directory, tag)) if !tag.contains('/') => (directory, Some(tag)),
        _ => (before, None),
    };
    let name = digest.or(tag).map(str::to_owned);
    (!directory.is_empty()).then(|| ContextPlace::Layout { directory: directory.to_owned(), name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_directory_a_url_a_repository_an_image_or_a_stage() {
        let layout = |directory: &str, name: Option<&str>| ContextPlace::Layout {
            directory: directory.to_owned(),
            name: name.map(str::to_owned),
        };
        for (text, expected) in [
            ("a=../x", ContextPlace::Path("../x".to_owned())),
            ("a=-", ContextPlace::Standard),
            ("a=https://h/x.tar", ContextPlace::Url("https://h/x.tar".to_owned())),
            ("a=docker-image://alpine:3", ContextPlace::Image("alpine:3".parse().expect("a name"))),
            ("a=container-image://alpine", ContextPlace::Image("alpine".parse().expect("a name"))),
            ("a=target:base", ContextPlace::Target("base".to_owned())),
            ("a=oci-layout:///x/y", layout("/x/y", None)),
            ("a=oci-layout://x:1", layout("x", Some("1"))),
            ("a=oci-layout://./x:1@sha256:ab", layout("./x", Some("sha256:ab"))),
        ] {
            let found = NamedContext::new(text).expect(text);
            assert_eq!((found.name.as_str(), found.place), ("a", expected), "{text}");
        }
        let found = NamedContext::new("App=https://h/x.git#main:sub").expect("a repository");
        assert!(found.name == "app" && matches!(found.place, ContextPlace::Git(url) if url.subdir.is_some()));
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "",
            "a",
            "a=",
            "=x",
            "a b=x",
            "a=ftp://h/x",
            "a=docker-image://",
            "a=target:",
            "a=oci-layout://",
            "a=https://",
        ] {
            assert!(NamedContext::new(text).is_err(), "{text}");
        }
    }
}
