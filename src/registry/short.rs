//! Short names of images, without a registry: what they may stand for.
//!
//! An alias decides alone. Without one, `unqualified-search-registries` are tried in their order. If no file has
//! either, a short name is docker's. Source: containers-registries.conf(5); containers/image `pkg/shortnames`.

use std::collections::BTreeMap;

use crate::types::{ImageReference, Invalid, Report, ReportKind};

/// Why a short name stands for nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShortNameError {
    /// It is no name.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It could be in several registries, and guessing is forbidden.
    #[error("`{name}` names no registry, and could be in each of {registries} (`short-name-mode` is `enforcing`)")]
    Ambiguous {
        /// The name.
        name: String,
        /// The registries.
        registries: String,
    },
}

impl From<ShortNameError> for Report {
    fn from(error: ShortNameError) -> Self {
        match error {
            ShortNameError::Invalid(error) => error.into(),
            ShortNameError::Ambiguous { .. } => Self::new(ReportKind::Invalid, error.to_string())
                .with_hint("write the registry before the name, or add an alias to registries.conf"),
        }
    }
}

/// The registry that docker means without a name.
const USUAL: &str = "docker.io";

/// Where images are that were built here and never pushed.
const HERE: &str = "localhost";

/// What the files say about short names.
#[derive(Debug, Clone, Default)]
pub(super) struct ShortNames {
    search: Vec<String>,
    is_enforcing: bool,
    /// By the short name, a whole name without tag and digest.
    aliases: BTreeMap<String, String>,
}

impl ShortNames {
    /// Adds what a file says; its list of registries replaces an earlier one, and so does its value of an alias. An
    /// empty value removes the alias.
    ///
    /// Fails with what is wrong.
    pub(super) fn add(
        &mut self,
        search: Option<Vec<String>>,
        mode: Option<&str>,
        aliases: BTreeMap<String, String>,
    ) -> Result<(), String> {
        match mode {
            None | Some("") => {}
            Some("enforcing") => self.is_enforcing = true,
            Some("permissive" | "disabled") => self.is_enforcing = false,
            Some(other) => {
                return Err(format!("`short-name-mode`: `{other}` must be enforcing, permissive or disabled"));
            }
        }
        if let Some(search) = search {
            if let Some(bad) = search.iter().find(|registry| !is_registry(registry)) {
                return Err(format!("`unqualified-search-registries`: `{bad}` must be HOST[:PORT]"));
            }
            self.search = search;
        }
        for (name, whole) in aliases {
            let fits = split(&name).1.is_empty() && ImageReference::is_short(&name);
            if !fits || name.parse::<ImageReference>().is_err() {
                return Err(format!("alias `{name}` must be a name without a registry, tag and digest"));
            }
            let is_whole = split(&whole).1.is_empty() && !ImageReference::is_short(&whole);
            if !whole.is_empty() && (!is_whole || whole.parse::<ImageReference>().is_err()) {
                return Err(format!("alias `{name}`: `{whole}` must be REGISTRY/NAME without a tag and a digest"));
            }
            match whole.is_empty() {
                true => self.aliases.remove(&name),
                false => self.aliases.insert(name, whole),
            };
        }
        Ok(())
    }

    /// What a name may stand for when it is pulled, in the order in which registries are tried.
    ///
    /// Fails with `Ambiguous` if the files forbid guessing (`short-name-mode = "enforcing"`) and several would be
    /// tried.
    pub(super) fn pulled(&self, typed: &str) -> Result<Vec<ImageReference>, ShortNameError> {
        if !ImageReference::is_short(typed) {
            return Ok(vec![typed.parse()?]);
        }
        if let Some(alias) = self.alias(typed)? {
            return Ok(vec![alias]);
        }
        if self.is_enforcing && self.search.len() > 1 {
            return Err(ShortNameError::Ambiguous { name: typed.to_owned(), registries: self.search.join(", ") });
        }
        Ok(self.searched().map(|registry| in_registry(registry, typed)).collect::<Result<_, _>>()?)
    }

    /// What a name may stand for in the store, the first choice first.
    pub(super) fn stored(&self, typed: &str) -> Result<Vec<ImageReference>, ShortNameError> {
        if !ImageReference::is_short(typed) {
            return Ok(vec![typed.parse()?]);
        }
        let mut found: Vec<ImageReference> = self.alias(typed)?.into_iter().collect();
        let here = in_registry(HERE, typed)?;
        if found.is_empty() && self.search.is_empty() {
            return Ok(vec![in_registry(USUAL, typed)?, here]);
        }
        found.push(here);
        for registry in self.searched() {
            found.push(in_registry(registry, typed)?);
        }
        Ok(found)
    }

    /// The registries that a search without a registry asks, and of which a login without one means the first.
    pub(super) fn searched(&self) -> impl Iterator<Item = &str> {
        let usual = self.search.is_empty().then_some(USUAL);
        self.search.iter().map(String::as_str).chain(usual)
    }

    fn alias(&self, typed: &str) -> Result<Option<ImageReference>, Invalid> {
        let (name, rest) = split(typed);
        self.aliases.get(name).map(|whole| format!("{whole}{rest}").parse()).transpose()
    }
}

fn in_registry(registry: &str, typed: &str) -> Result<ImageReference, Invalid> {
    format!("{registry}/{typed}").parse()
}

fn is_registry(text: &str) -> bool {
    !text.contains('/') && (text.contains(['.', ':']) || text == HERE) && in_registry(text, "x").is_ok()
}

/// A name, and its tag and digest with what is before each.
fn split(typed: &str) -> (&str, &str) {
    let end = typed.find('@').unwrap_or(typed.len());
    let last = typed[..end].rfind('/').map_or(0, |slash| slash + 1);
    typed.split_at(typed[last..end].find(':').map_or(end, |colon| last + colon))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(search: &[&str], mode: &str, aliases: &[(&str, &str)]) -> Result<ShortNames, String> {
        let mut names = ShortNames::default();
        let own = |text: &&str| (*text).to_owned();
        let search = Some(search.iter().map(own).collect()).filter(|search: &Vec<String>| !search.is_empty());
        let aliases = aliases.iter().map(|(name, whole)| (own(name), own(whole))).collect();
        names.add(search, Some(mode), aliases)?;
        Ok(names)
    }

    fn shown(found: Result<Vec<ImageReference>, ShortNameError>) -> Vec<String> {
        match found {
            Ok(found) => found.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn without_a_word_about_them_short_names_are_dockers() {
        let none = ShortNames::default();
        assert_eq!(shown(none.pulled("debian")), ["docker.io/library/debian:latest"]);
        assert_eq!(shown(none.stored("me/app:1")), ["docker.io/me/app:1", "localhost/me/app:1"]);
        assert_eq!(shown(none.pulled("h.io/app")), ["h.io/app:latest"]);
        assert_eq!(none.searched().collect::<Vec<_>>(), ["docker.io"]);
    }

    #[test]
    fn an_alias_decides_alone_and_registries_are_tried_in_order() {
        let names = names(&["a.io", "b.io:5000"], "permissive", &[("tool", "x.io/team/tool"), ("me/app", "y.io/app")]);
        let names = names.expect("a configuration");
        let digest = format!("sha256:{}", "1".repeat(64));
        for (typed, pulled) in [
            ("tool", vec!["x.io/team/tool:latest".to_owned()]),
            ("tool:2", vec!["x.io/team/tool:2".to_owned()]),
            (&format!("me/app:2@{digest}"), vec![format!("y.io/app:2@{digest}")]),
            ("other", vec!["a.io/other:latest".to_owned(), "b.io:5000/other:latest".to_owned()]),
            ("z.io/tool", vec!["z.io/tool:latest".to_owned()]),
        ] {
            assert_eq!(shown(names.pulled(typed)), pulled, "{typed}");
        }
        assert_eq!(
            shown(names.stored("tool")),
            ["x.io/team/tool:latest", "localhost/tool:latest", "a.io/tool:latest", "b.io:5000/tool:latest"]
        );
    }

    #[test]
    fn where_guessing_is_forbidden_a_registry_must_be_named() {
        let names = names(&["a.io", "b.io"], "enforcing", &[("tool", "x.io/tool")]).expect("a configuration");
        assert_eq!(
            shown(names.pulled("other")),
            ["`other` names no registry, and could be in each of a.io, b.io (`short-name-mode` is `enforcing`)"]
        );
        assert_eq!(shown(names.pulled("tool")), ["x.io/tool:latest"]);
    }

    #[test]
    fn later_files_replace_lists_and_aliases() {
        let mut names = names(&["a.io"], "", &[("tool", "x.io/tool"), ("gone", "x.io/gone")]).expect("a configuration");
        let aliases = [("tool", "y.io/tool"), ("gone", "")].map(|(name, whole)| (name.to_owned(), whole.to_owned()));
        names.add(Some(vec!["c.io".to_owned()]), None, aliases.into()).expect("a configuration");
        assert_eq!(shown(names.pulled("tool")), ["y.io/tool:latest"]);
        assert_eq!(shown(names.pulled("gone")), ["c.io/gone:latest"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (search, mode, alias, reason) in [
            ("https://a.io", "", ("a", "x.io/a"), "`https://a.io` must be HOST[:PORT]"),
            ("a.io/team", "", ("a", "x.io/a"), "must be HOST[:PORT]"),
            ("a.io", "sometimes", ("a", "x.io/a"), "must be enforcing, permissive or disabled"),
            ("a.io", "", ("a:1", "x.io/a"), "alias `a:1` must be a name without"),
            ("a.io", "", ("x.io/a", "x.io/a"), "must be a name without"),
            ("a.io", "", ("a", "a"), "`a` must be REGISTRY/NAME"),
            ("a.io", "", ("a", "x.io/a:1"), "without a tag"),
        ] {
            let error = names(&[search], mode, &[alias]).map(drop).expect_err("a mistake");
            assert!(error.contains(reason), "{error}");
        }
    }
}
