//! Filters of `images`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::common::{CommonFilter, Times};
use super::{Error, any, split};
use crate::types::{Digest, ImageReference};
use crate::view::when::Clock;

const KEYS: &[&str] = &["before", "dangling", "id", "label", "label!", "reference", "since", "until"];

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
}

/// All filters of one command line.
#[derive(Debug, Default)]
pub(crate) struct ImageFilter {
    common: CommonFilter,
    dangling: Vec<bool>,
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
                "dangling" => filter.dangling.push(match value {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err(Error::bad(key, value, "must be true or false")),
                }),
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

    /// Whether all filters match.
    pub(crate) fn matches(&self, facts: ImageFacts<'_>) -> bool {
        self.common.matches(facts.labels, || facts.created)
            && any(&self.ids, |prefix| facts.id.hex().starts_with(prefix.as_str()))
            && any(&self.dangling, |dangling| *dangling == facts.names.is_empty())
            && any(&self.references, |pattern| facts.names.iter().any(|name| is_named(name, pattern)))
    }
}

/// Whether `pattern` matches the last components of an image's name, with or without its tag: `busybox`,
/// `library/busy*`, `*:latest`, `docker.io/library/busybox:latest`. `*` and `?` match anything but a slash.
fn is_named(name: &ImageReference, pattern: &str) -> bool {
    let (whole, untagged) = (name.to_string(), name.name());
    [whole, untagged].iter().any(|text| {
        let starts = std::iter::once(0).chain(text.match_indices('/').map(|(at, _)| at + 1));
        starts.into_iter().any(|start| is_glob_of(pattern.as_bytes(), &text.as_bytes()[start..]))
    })
}

/// Matches from left to right. After a mismatch it goes back only to the last `*`: that suffices, and is not
/// exponential.
fn is_glob_of(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') if text[t] != b'/' => {
                p += 1;
                t += 1;
            }
            Some(wanted) if *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) if text[from] != b'/' => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                _ => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
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
        }))
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
        ] {
            assert_eq!(matching(typed, names), Ok(expected), "{typed:?}");
        }
        assert_eq!(matching(&["dangling=true"], &[]), Ok(true));
        for bad in ["dangling=maybe", "before=ghost", "containers=1", "x"] {
            assert!(matching(&[bad], names).is_err(), "{bad}");
        }
    }
}
