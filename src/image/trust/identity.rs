//! Whether a signature speaks of the image that was asked for. Source: containers-policy.json(5), `signedIdentity`.

use serde::{Deserialize, Serialize};

use crate::types::ImageReference;

/// What the name in a signature must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Identity {
    /// That of the image.
    MatchExact,
    /// That of the image, or any of its repository if it was asked for by digest.
    #[default]
    MatchRepoDigestOrExact,
    /// Any of its repository.
    MatchRepository,
    /// This one.
    ExactReference {
        /// The name.
        docker_reference: String,
    },
    /// Any of this repository.
    ExactRepository {
        /// The repository.
        docker_repository: String,
    },
    /// As [`Self::MatchRepoDigestOrExact`], after one beginning of the image's name was replaced by another.
    #[serde(rename = "remapIdentity")]
    Remapped {
        /// The beginning.
        prefix: String,
        /// What stands in its place in the signature.
        signed_prefix: String,
    },
}

impl Identity {
    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<String> {
        let unreadable = |name: &str| name.parse::<ImageReference>().err().map(|error| error.to_string());
        match self {
            Self::MatchExact | Self::MatchRepoDigestOrExact | Self::MatchRepository => None,
            Self::ExactReference { docker_reference: name } => {
                unreadable(name).or_else(|| whole(name).is_none().then(|| format!("`{name}` needs a tag or a digest")))
            }
            Self::ExactRepository { docker_repository: name } => unreadable(name),
            Self::Remapped { prefix, signed_prefix } => {
                let both = [prefix, signed_prefix];
                let bad = both.iter().find(|it| it.is_empty() || it.ends_with('/') || it.contains('@'));
                bad.map(|it| format!("`{it}` is no host and no repository"))
            }
        }
    }

    /// Whether a signature of the image `signed` is one of `image`, which an archive does not name.
    pub(super) fn matches(&self, signed: &str, image: Option<&ImageReference>) -> bool {
        let repository = |name: &str| name.parse().ok().map(|it: ImageReference| it.name());
        let same_repository = |image: &ImageReference| repository(signed) == Some(image.name());
        let exact = |image: &ImageReference| whole(signed).as_ref() == Some(image);
        let exact_or_digest = |image: &ImageReference| match (image.tag(), whole(signed)) {
            (None, Some(_)) => same_repository(image),
            _ => exact(image),
        };
        match self {
            Self::MatchExact => image.is_some_and(exact),
            Self::MatchRepoDigestOrExact => image.is_some_and(exact_or_digest),
            Self::MatchRepository => image.is_some_and(same_repository),
            Self::ExactReference { docker_reference } => whole(docker_reference).as_ref().is_some_and(exact),
            Self::ExactRepository { docker_repository } => {
                repository(docker_repository).is_some_and(|wanted| repository(signed) == Some(wanted))
            }
            Self::Remapped { prefix, signed_prefix } => {
                image.and_then(|image| remapped(image, prefix, signed_prefix)).as_ref().is_some_and(exact_or_digest)
            }
        }
    }
}

/// A name that says which image of its repository it means: nothing is completed to `:latest`.
fn whole(name: &str) -> Option<ImageReference> {
    let parsed: ImageReference = name.parse().ok()?;
    let is_completed = parsed.tag() == Some("latest") && parsed.digest().is_none() && !name.ends_with(":latest");
    (!is_completed).then_some(parsed)
}

fn remapped(image: &ImageReference, prefix: &str, signed: &str) -> Option<ImageReference> {
    let text = image.to_string();
    match image.name().strip_prefix(prefix) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            format!("{signed}{}", &text[prefix.len()..]).parse().ok()
        }
        _ => Some(image.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_speaks_of_the_image_or_not() {
        let digest = format!("h.io/a/b@sha256:{}", "0".repeat(64));
        let other = format!("h.io/a/b@sha256:{}", "1".repeat(64));
        let reference = |name: &str| Identity::ExactReference { docker_reference: name.to_owned() };
        let repository = |name: &str| Identity::ExactRepository { docker_repository: name.to_owned() };
        let remap = |prefix: &str, signed: &str| Identity::Remapped {
            prefix: prefix.to_owned(),
            signed_prefix: signed.to_owned(),
        };
        for (identity, signed, image, expected) in [
            (Identity::MatchExact, "h.io/a/b:1", "h.io/a/b:1", true),
            (Identity::MatchExact, "h.io/a/b:2", "h.io/a/b:1", false),
            (Identity::MatchExact, "h.io/a/b", "h.io/a/b:latest", false),
            (Identity::MatchExact, "h.io/a/b:latest", "h.io/a/b:latest", true),
            (Identity::MatchExact, "busybox:1", "docker.io/library/busybox:1", true),
            (Identity::MatchExact, "h.io/a/b:1", &digest, false),
            (Identity::MatchExact, &digest, &digest, true),
            (Identity::MatchRepoDigestOrExact, "h.io/a/b:1", "h.io/a/b:1", true),
            (Identity::MatchRepoDigestOrExact, "h.io/a/b:2", "h.io/a/b:1", false),
            (Identity::MatchRepoDigestOrExact, "h.io/a/b:2", &digest, true),
            (Identity::MatchRepoDigestOrExact, &other, &digest, true),
            (Identity::MatchRepoDigestOrExact, "h.io/a/b", &digest, false),
            (Identity::MatchRepoDigestOrExact, "h.io/a/c:2", &digest, false),
            (Identity::MatchRepository, "h.io/a/b:2", "h.io/a/b:1", true),
            (Identity::MatchRepository, "h.io/a/b", "h.io/a/b:1", true),
            (Identity::MatchRepository, "h.io/a/bb:1", "h.io/a/b:1", false),
            (Identity::MatchRepository, "h.io:80/a/b:1", "h.io/a/b:1", false),
            (Identity::MatchRepository, "", "h.io/a/b:1", false),
            (reference("v.io/x:7"), "v.io/x:7", "h.io/a/b:1", true),
            (reference("v.io/x:7"), "v.io/x:8", "h.io/a/b:1", false),
            (reference("v.io/x"), "v.io/x:latest", "h.io/a/b:1", false),
            (repository("v.io/x"), "v.io/x:8", "h.io/a/b:1", true),
            (repository("v.io/x"), "v.io/y:8", "h.io/a/b:1", false),
            (remap("h.io/a", "v.io"), "v.io/b:1", "h.io/a/b:1", true),
            (remap("h.io/a", "v.io"), "h.io/a/b:1", "h.io/a/b:1", false),
            (remap("h.io/a/b", "v.io/z"), "v.io/z:1", "h.io/a/b:1", true),
            (remap("h.io/a", "v.io"), "v.io/b:2", &digest, true),
            (remap("h.io/aa", "v.io"), "h.io/a/b:1", "h.io/a/b:1", true),
            (remap("h.io/a", "v.io"), "v.iob:1", "h.io/ab:1", false),
        ] {
            let image = image.parse().expect("a name");
            assert_eq!(identity.matches(signed, Some(&image)), expected, "{identity:?} {signed} {image}");
        }
        assert!(!Identity::MatchRepository.matches("h.io/a/b:1", None));
        assert!(repository("v.io/x").matches("v.io/x:8", None));
        for bad in [reference("v.io/x"), reference("V"), repository("v.io/X"), remap("", "x"), remap("a/", "x")] {
            assert!(bad.fault().is_some(), "{bad:?}");
        }
        assert_eq!(remap("localhost:5000", "v.io").fault(), None);
    }
}
