//! Filters of `images`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::common::{CommonFilter, Times};
use super::{Error, any, boolean, split};
use crate::types::glob;
use crate::types::{Digest, ImageReference};
use crate::view::when::Clock;

/// The keys of podman-images(1) and of docker. `after` is `since`.
const KEYS: &[&str] = &[
    "after",
    "before",
    "containers",
    "dangling",
    "id",
    "intermediate",
    "label",
    "label!",
    "manifest",
    "readonly",
    "reference",
    "since",
    "until",
];

/// What a filter compares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageFacts<'a> {
    /// The digest of its configuration.
    pub(crate) id: &'a Digest,
    /// Its names; none if it is dangling.
    pub(crate) names: &'a [ImageReference],
    /// When it was built, if its configuration says so.
    pub(crate) created: Option<Timestamp>,
    /// The labels of its configuration.
    pub(crate) labels: &'a BTreeMap<String, String>,
    /// Whether a container uses it.
    pub(crate) is_used: bool,
}

/// All filters of one command line.
#[derive(Debug, Default)]
pub(crate) struct ImageFilter {
    common: CommonFilter,
    dangling: Vec<bool>,
    used: Vec<bool>,
    /// Of what no image of rc's is: intermediate, read-only, a list of manifests.
    never: Vec<bool>,
    ids: Vec<String>,
    references: Vec<String>,
}

impl ImageFilter {
    /// Parses what was typed. `created` returns when the image with that name or ID was built, for `before` and
    /// `since`.
    pub(crate) fn parse(
        typed: &[String],
        clock: Clock,
        created: impl Fn(&str) -> Option<Timestamp>,
    ) -> Result<Self, Error> {
        let mut filter = Self::default();
        let times = Times { clock, what: "image", created: &created };
        for typed in typed {
            let (key, value) = split(typed, KEYS)?;
            if filter.common.add(key, value, &times)? {
                continue;
            }
            match key {
                "dangling" => filter.dangling.push(boolean(key, value)?),
                "containers" => filter.used.push(boolean(key, value)?),
                "intermediate" | "manifest" | "readonly" => filter.never.push(boolean(key, value)?),
                "id" => filter.ids.push(value.strip_prefix("sha256:").unwrap_or(value).to_owned()),
                _ => filter.references.push(value.to_owned()),
            }
        }
        Ok(filter)
    }

    /// Adds the argument of `images NAME`, which is a pattern.
    pub(crate) fn with_reference(mut self, pattern: &str) -> Self {
        self.references.push(pattern.to_owned());
        self
    }

    /// Adds the argument of `images ID`.
    pub(crate) fn with_id(mut self, id: &str) -> Self {
        self.ids.push(id.strip_prefix("sha256:").unwrap_or(id).to_owned());
        self
    }

    /// Whether a matching image is shown under this name.
    pub(crate) fn shows(&self, name: &ImageReference) -> bool {
        any(&self.references, |pattern| is_named(name, pattern))
    }

    /// Whether all filters match.
    pub(crate) fn matches(&self, facts: ImageFacts<'_>) -> bool {
        self.common.matches(facts.labels, || facts.created)
            && any(&self.ids, |prefix| facts.id.hex().starts_with(prefix.as_str()))
            && any(&self.dangling, |dangling| *dangling == facts.names.is_empty())
            && any(&self.used, |used| *used == facts.is_used)
            && any(&self.never, |wanted| !wanted)
            && any(&self.references, |pattern| facts.names.iter().any(|name| is_named(name, pattern)))
    }
}

/// Whether `pattern` matches the last components of an image's name, with or without its tag: `busybox`,
/// `library/busy*`, `*:latest`, `docker.io/library/busybox:latest`. `*` and `?` match anything but a slash.
pub(crate) fn is_named(name: &ImageReference, pattern: &str) -> bool {
    let (whole, untagged) = (name.to_string(), name.name());
    [whole, untagged].iter().any(|text| {
        let starts = std::iter::once(0).chain(text.match_indices('/').map(|(at, _)| at + 1));
        starts.into_iter().any(|start| glob::matches(pattern, &text[start..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(typed: &[&str], names: &[&str]) -> Result<bool, String> {
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        let names: Vec<ImageReference> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let clock = Clock::at("2026-01-02T00:00:00Z");
        let filter = ImageFilter::parse(&typed, clock, |name| {
            (name == "other").then(|| "2026-01-01T00:00:00Z".parse().ok()).flatten()
        })
        .map_err(|error| error.to_string())?;
        Ok(filter.matches(ImageFacts {
            id: &Digest::sha256([0xa9; 32]),
            names: &names,
            created: "2026-01-01T12:00:00Z".parse().ok(),
            labels: &labels,
            is_used: true,
        }))
    }

    #[test]
    fn a_pattern_chooses_the_names_under_which_an_image_is_shown() {
        let shown = |pattern: &str| {
            let filter = ImageFilter::default().with_reference(pattern);
            let names = ["busybox", "busybox:2", "localhost:5000/a/b:1"].map(|name| name.parse().expect("a name"));
            names.iter().filter(|name| filter.shows(name)).map(|name| name.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown("busybox:latest"), "docker.io/library/busybox:latest");
        assert_eq!(shown("busybox"), "docker.io/library/busybox:latest docker.io/library/busybox:2");
        assert_eq!(shown("b:1"), "localhost:5000/a/b:1");
        let by_id = ImageFilter::default().with_id("sha256:a9");
        assert!(by_id.shows(&"busybox".parse().expect("a name")));
    }

    #[test]
    fn every_key_of_images() {
        let names = &["busybox", "localhost:5000/a/b:1"][..];
        for (typed, expected) in [
            (&[][..], true),
            (&["reference=busybox"], true),
            (&["reference=busybox:latest"], true),
            (&["reference=library/busybox"], true),
            (&["reference=docker.io/library/busybox:latest"], true),
            (&["reference=busy*"], true),
            (&["reference=*:1"], true),
            (&["reference=a/*"], true),
            (&["reference=*"], true),
            (&["reference=box"], false),
            (&["reference=docker.io/*box"], false),
            (&["reference=busybox:2"], false),
            (&["reference=nope", "reference=b:?"], true),
            (&["dangling=true"], false),
            (&["dangling=false"], true),
            (&["label=a"], true),
            (&["label=a=b", "label=c"], false),
            (&["label!=a"], false),
            (&["id=a9a9a9"], true),
            (&["id=sha256:a9"], true),
            (&["id=b"], false),
            (&["since=other"], true),
            (&["before=other"], false),
            (&["until=6h"], true),
            (&["after=other"], true),
            (&["dangling=0"], true),
            (&["containers=true"], true),
            (&["containers=false"], false),
            (&["readonly=true"], false),
            (&["readonly=false", "manifest=false"], true),
            (&["intermediate=true"], false),
        ] {
            assert_eq!(matching(typed, names), Ok(expected), "{typed:?}");
        }
        assert_eq!(matching(&["dangling=true"], &[]), Ok(true));
        for bad in ["dangling=maybe", "before=ghost", "containers=2", "x", "nope=1"] {
            assert!(matching(&[bad], names).is_err(), "{bad}");
        }
    }
}
