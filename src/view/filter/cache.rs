//! Filters of `builder prune` and `builder du`. Source: docker-buildx-prune(1), "Filtering".

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex_lite::Regex;

use super::common::has_label;
use super::{Error, any, pattern};
use crate::view::when::{self, Clock};

const KEYS: &[&str] = &[
    "description",
    "id",
    "immutable",
    "inuse",
    "label",
    "mutable",
    "private",
    "shared",
    "type",
    "unused-for",
    "until",
];

/// What a cache has of one thing, as far as filters ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheFacts<'a> {
    /// Its ID.
    pub(crate) id: &'a str,
    /// `regular` or `exec.cachemount`.
    pub(crate) kind: &'a str,
    /// What made it.
    pub(crate) description: &'a str,
    /// An image has it, or a build uses it.
    pub(crate) in_use: bool,
    /// When it was used last.
    pub(crate) used: Timestamp,
    /// Its labels.
    pub(crate) labels: &'a BTreeMap<String, String>,
}

/// How a text is compared.
#[derive(Debug)]
enum Text {
    Is(String),
    IsNot(String),
    Matches(Regex),
}

impl Text {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Is(wanted) => text == wanted,
            Self::IsNot(wanted) => text != wanted,
            Self::Matches(regex) => regex.is_match(text),
        }
    }
}

/// All filters of one command line. Several of one key are alternatives.
#[derive(Debug, Default)]
pub(crate) struct CacheFilter {
    ids: Vec<Text>,
    kinds: Vec<Text>,
    descriptions: Vec<Text>,
    used_before: Vec<Timestamp>,
    in_use: Vec<bool>,
    mutable: Vec<bool>,
    shared: Vec<bool>,
    labels: Vec<String>,
    labels_absent: Vec<String>,
}

impl CacheFilter {
    /// Parses what was typed: `KEY=VALUE`, `KEY!=VALUE`, `KEY~=REGEX`, or a word such as `inuse`.
    pub(crate) fn parse(typed: &[String], clock: Clock) -> Result<Self, Error> {
        let mut filter = Self::default();
        typed.iter().try_for_each(|typed| filter.add(typed, clock))?;
        Ok(filter)
    }

    fn add(&mut self, typed: &str, clock: Clock) -> Result<(), Error> {
        let (key, value) = typed.split_once('=').unwrap_or((typed, "true"));
        let (name, mark) = match (key.strip_suffix('~'), key.strip_suffix('!')) {
            (Some(name), _) => (name, '~'),
            (_, Some(name)) => (name, '!'),
            _ => (key, '='),
        };
        let Some(key) = KEYS.iter().copied().find(|known| *known == name) else {
            return Err(Error::UnknownKey { key: name.to_owned(), known: KEYS });
        };
        let text = || match mark {
            '~' => pattern(key, value).map(Text::Matches),
            '!' => Ok(Text::IsNot(value.to_owned())),
            _ => Ok(Text::Is(value.to_owned())),
        };
        let fact = || match (value, mark) {
            ("true" | "1", '=') | ("false" | "0", '!') => Ok(true),
            ("false" | "0", '=') | ("true" | "1", '!') => Ok(false),
            _ => Err(Error::bad(key, value, "must be true or false")),
        };
        let time = || when::parse(value, clock).map_err(|error| Error::bad(key, value, error.reason));
        match key {
            "id" => self.ids.push(text()?),
            "type" => self.kinds.push(text()?),
            "description" => self.descriptions.push(text()?),
            "until" | "unused-for" => self.used_before.push(time()?),
            "inuse" => self.in_use.push(fact()?),
            "label" => match (typed.split_once('='), mark) {
                (None, _) | (_, '~') => return Err(Error::bad(key, value, "must be NAME or NAME=VALUE")),
                (_, '!') => self.labels_absent.push(value.to_owned()),
                _ => self.labels.push(value.to_owned()),
            },
            "mutable" => self.mutable.push(fact()?),
            "immutable" => self.mutable.push(!fact()?),
            "shared" => self.shared.push(fact()?),
            _ => self.shared.push(!fact()?),
        }
        Ok(())
    }

    /// Whether all filters match.
    pub(crate) fn matches(&self, facts: &CacheFacts<'_>) -> bool {
        // What a mount keeps changes, and no layer is another's part.
        let is_mutable = facts.kind == "exec.cachemount";
        any(&self.ids, |id| id.fits(facts.id))
            && any(&self.kinds, |kind| kind.fits(facts.kind))
            && any(&self.descriptions, |description| description.fits(facts.description))
            && self.used_before.iter().all(|limit| facts.used < *limit)
            && any(&self.in_use, |wanted| *wanted == facts.in_use)
            && any(&self.mutable, |wanted| *wanted == is_mutable)
            && any(&self.shared, |wanted| *wanted == facts.in_use)
            && self.labels.iter().all(|wanted| has_label(facts.labels, wanted))
            && !self.labels_absent.iter().any(|wanted| has_label(facts.labels, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_cache_is_chosen_by_what_it_is_and_when_it_was_used() {
        let clock = Clock::at("2026-01-02T00:00:00Z");
        let labels = BTreeMap::from([("of".to_owned(), "ci".to_owned())]);
        let facts = CacheFacts {
            labels: &labels,
            id: "abc",
            kind: "regular",
            description: "RUN make all",
            in_use: false,
            used: "2026-01-01T00:00:00Z".parse().expect("a time"),
        };
        for (typed, expected) in [
            ("id=abc", true),
            ("id!=abc", false),
            ("type=regular", true),
            ("type=exec.cachemount", false),
            ("description=RUN make", false),
            ("description~=make", true),
            ("until=23h", true),
            ("until=25h", false),
            ("unused-for=1h", true),
            ("inuse", false),
            ("inuse=false", true),
            ("inuse!=true", true),
            ("mutable", false),
            ("immutable=true", true),
            ("private", true),
            ("shared", false),
            ("label=of", true),
            ("label=of=ci", true),
            ("label=of=me", false),
            ("label!=of", false),
        ] {
            let filter = CacheFilter::parse(&[typed.to_owned()], clock).expect(typed);
            assert_eq!(filter.matches(&facts), expected, "{typed}");
        }
        assert!(CacheFilter::default().matches(&facts));
        for (typed, message) in [
            ("name=a", "unknown filter `name`"),
            ("label", "invalid filter `label=true`: must be NAME"),
            ("inuse=maybe", "invalid filter `inuse=maybe`: must be true or false"),
            ("description~=(", "invalid filter `description=(`"),
        ] {
            let error = CacheFilter::parse(&[typed.to_owned()], clock).expect_err(typed).to_string();
            assert!(error.contains(message), "{typed}: {error}");
        }
    }
}
