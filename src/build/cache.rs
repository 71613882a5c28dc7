//! `--cache-from` and `--cache-to`: where steps that others have made come from, and where these go.
//!
//! Source: docker's documentation, "Cache storage backends"; podman-build(1), `--cache-from`.

use std::fmt;

use super::csv;
use crate::types::{Digest, ImageReference, Invalid, nearest};

/// A cache outside the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CachePlace {
    /// A repository of a registry.
    Registry(ImageReference),
    /// A directory with an image layout.
    Local {
        /// The directory.
        directory: String,
        /// Which of the caches in it.
        tag: Option<String>,
        /// The digest that it must have.
        digest: Option<Digest>,
    },
}

impl fmt::Display for CachePlace {
    /// The reference, or the directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => reference.fmt(f),
            Self::Local { directory, .. } => f.write_str(directory),
        }
    }
}

/// Where steps go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CacheTo {
    /// Into the image: those that it has the layers of.
    Inline,
    /// To a cache.
    Place {
        /// The place.
        place: CachePlace,
        /// All steps, not only those that the result has.
        is_max: bool,
        /// If it fails, the build goes on.
        ignores_errors: bool,
    },
}

/// Reads `--cache-from`: `type=registry,ref=…`, `type=local,src=…`, or a reference, as podman has it.
pub(crate) fn from(text: &str) -> Result<CachePlace, Invalid> {
    let (place, others) = place(text, "cache source", "src")?;
    match others.first() {
        None => Ok(place),
        Some((key, _)) => Err(unknown("cache source", text, key)),
    }
}

/// Reads `--cache-to`: as [`from`], with `dest` in place of `src`, and `mode` and `ignore-error`.
pub(crate) fn to(text: &str) -> Result<CacheTo, Invalid> {
    let what = "cache destination";
    if matches!(text, "type=inline" | "type=inline,mode=min") {
        return Ok(CacheTo::Inline);
    }
    let (place, others) = place(text, what, "dest")?;
    let (mut is_max, mut ignores_errors) = (false, false);
    for (key, value) in others {
        match (key.as_str(), value.as_deref()) {
            ("mode", Some("min")) => is_max = false,
            ("mode", Some("max")) => is_max = true,
            ("mode", _) => return Err(Invalid::new(what, text, "the mode is min or max")),
            ("ignore-error", None | Some("true")) => ignores_errors = true,
            ("ignore-error", Some("false")) => ignores_errors = false,
            ("ignore-error", _) => return Err(Invalid::new(what, text, "`ignore-error` is true or false")),
            _ => return Err(unknown(what, text, &key)),
        }
    }
    Ok(CacheTo::Place { place, is_max, ignores_errors })
}

fn unknown(what: &'static str, text: &str, key: &str) -> Invalid {
    let known = ["type", "ref", "src", "dest", "tag", "digest", "mode", "ignore-error"];
    let near = nearest(key, known).filter(|near| *near != key);
    let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
    Invalid::new(what, text, format!("`{}` is unknown here{near}", key.escape_debug()))
}

/// The fields that are left.
type Others = Vec<(String, Option<String>)>;

fn place(text: &str, what: &'static str, directory: &str) -> Result<(CachePlace, Others), Invalid> {
    let invalid = |reason: String| Invalid::new(what, text, reason);
    let reference = |text: &str| text.parse::<ImageReference>().map_err(|error| invalid(error.to_string()));
    if !text.contains('=') {
        return Ok((CachePlace::Registry(reference(text)?), Vec::new()));
    }
    let mut fields = csv::pairs(text).map_err(|reason| invalid(reason.to_owned()))?;
    let mut take = |key: &str| {
        let place = fields.iter().rposition(|(other, _)| other == key)?;
        let (_, value) = fields.remove(place);
        value.filter(|value| !value.is_empty())
    };
    let kind = take("type").unwrap_or_else(|| "registry".to_owned());
    let needed = |key: &str, value: Option<String>| value.ok_or_else(|| invalid(format!("type {kind} needs `{key}`")));
    let place = match kind.as_str() {
        "registry" => CachePlace::Registry(reference(&needed("ref", take("ref"))?)?),
        "local" => CachePlace::Local {
            directory: needed(directory, take(directory))?,
            tag: take("tag"),
            digest: take("digest").map(|digest| digest.parse()).transpose()?,
        },
        "inline" if directory == "src" => {
            return Err(invalid("a cache in an image has the image's name: type=registry,ref=IMAGE".to_owned()));
        }
        "inline" => return Err(invalid("type inline has no other field: the image has what it has".to_owned())),
        "gha" | "s3" | "azblob" => {
            return Err(invalid(format!("rc has no cache of type {kind}; use type=registry or type=local")));
        }
        other => {
            let near = nearest(other, ["registry", "local"]).filter(|near| *near != other);
            let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
            return Err(invalid(format!("there is no type `{}`{near}", other.escape_debug())));
        }
    };
    Ok((place, fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(name: &str) -> CachePlace {
        CachePlace::Registry(name.parse().expect("a reference"))
    }

    fn local(directory: &str, tag: Option<&str>) -> CachePlace {
        CachePlace::Local { directory: directory.to_owned(), tag: tag.map(str::to_owned), digest: None }
    }

    #[test]
    fn caches_are_in_registries_and_directories() {
        for (text, expected) in [
            ("h.io/a/cache", registry("h.io/a/cache")),
            ("type=registry,ref=h.io/a:x", registry("h.io/a:x")),
            ("ref=h.io/a:x", registry("h.io/a:x")),
            ("type=local,src=/c", local("/c", None)),
            ("type=local,src=/c,tag=t", local("/c", Some("t"))),
        ] {
            assert_eq!(from(text), Ok(expected), "{text}");
        }
        let max = CacheTo::Place { place: local("/c", None), is_max: true, ignores_errors: true };
        assert_eq!(to("type=local,dest=/c,mode=max,ignore-error"), Ok(max));
        let min = CacheTo::Place { place: registry("h.io/a"), is_max: false, ignores_errors: false };
        assert_eq!(to("type=inline"), Ok(CacheTo::Inline));
        assert_eq!(to("type=registry,ref=h.io/a,ignore-error=false"), Ok(min));
    }

    #[test]
    fn others_are_refused_by_name() {
        for (text, expected) in [
            ("type=gha", "rc has no cache of type gha; use type=registry or type=local"),
            ("type=loacl,src=x", "there is no type `loacl` (did you mean local?)"),
            ("type=registry", "type registry needs `ref`"),
            ("type=local,dest=x", "type local needs `src`"),
            ("type=inline", "a cache in an image has the image's name: type=registry,ref=IMAGE"),
            ("type=local,src=x,mode=max", "`mode` is unknown here"),
            ("type=local,src=x,tga=y", "`tga` is unknown here (did you mean tag?)"),
            ("type=local,src=x,digest=y", "digest `y`"),
            ("Not A Name", "Not A Name"),
        ] {
            let error = from(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for (text, expected) in [
            ("type=local,dest=x,mode=all", "the mode is min or max"),
            ("type=inline,mode=max", "type inline has no other field"),
            ("type=local,dest=x,ignore-error=maybe", "`ignore-error` is true or false"),
        ] {
            let error = to(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
