//! `registries.conf`: where a registry really is, what mirrors it has, and which registries are refused.
//!
//! Source: containers-registries.conf(5), containers-registries.conf.d(5). Keys that this module does not know are
//! ignored, as podman does: the file belongs to several programs.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::short::{ShortNameError, ShortNames};
use super::{Places, SMALL_LIMIT};
use crate::sys::fs::{self, PathError};
use crate::types::{ImageReference, Invalid, Report, ReportKind};

/// Why the configuration of registries cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistriesError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] PathError),
    /// A file is no valid configuration.
    #[error("cannot read `{}`: {reason}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A location in it leads to an invalid name.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The registry, or a part of it, is blocked.
    #[error("`{prefix}` is blocked in `{}`", .path.display())]
    Blocked {
        /// The part that is blocked.
        prefix: String,
        /// The file that says so.
        path: PathBuf,
    },
    /// A name without a registry stands for nothing.
    #[error(transparent)]
    Short(#[from] ShortNameError),
}

impl From<RegistriesError> for Report {
    fn from(error: RegistriesError) -> Self {
        let kind = match error {
            RegistriesError::File(error) => return error.into(),
            RegistriesError::Invalid(error) => return error.into(),
            RegistriesError::Short(error) => return error.into(),
            RegistriesError::Format { .. } => ReportKind::Invalid,
            RegistriesError::Blocked { .. } => ReportKind::Denied,
        };
        Self::new(kind, error.to_string())
    }
}

/// The configuration, from all files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registries {
    entries: Vec<Entry>,
    short: ShortNames,
}

/// The configuration, which is read when something first needs it.
#[derive(Debug, Default)]
pub(crate) struct LazyRegistries {
    /// `None`: there is nothing to read.
    places: Option<Places>,
    read: OnceCell<Registries>,
}

impl LazyRegistries {
    /// Reads nothing yet.
    pub(crate) fn new(places: Places) -> Self {
        Self { places: Some(places), read: OnceCell::new() }
    }

    /// The configuration.
    pub(crate) fn get(&self) -> Result<&Registries, RegistriesError> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        let (main, directories) = self.places.as_ref().map(Places::registries).unwrap_or_default();
        let read = Registries::read(main.as_deref(), &directories)?;
        Ok(self.read.get_or_init(|| read))
    }
}

#[derive(Debug, Clone)]
struct Entry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirrors: Vec<Mirror>,
    path: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    pull_from_mirror: PullFrom,
}

/// For which references a mirror is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PullFrom {
    #[default]
    #[serde(alias = "")]
    All,
    DigestOnly,
    TagOnly,
}

/// A place from which an image can come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The image's name there.
    pub(crate) reference: ImageReference,
    /// Whether its certificate is not verified, and plain http will do.
    pub(crate) is_insecure: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct File {
    unqualified_search_registries: Option<Vec<String>>,
    short_name_mode: Option<String>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    #[serde(default)]
    registry: Vec<Registry>,
    /// Version 1.
    registries: Option<Lists>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror: Vec<Mirror>,
    #[serde(default)]
    mirror_by_digest_only: bool,
}

#[derive(Deserialize, Default)]
struct Lists {
    search: Option<List>,
    #[serde(default)]
    insecure: List,
    #[serde(default)]
    block: List,
}

#[derive(Deserialize, Default)]
struct List {
    #[serde(default)]
    registries: Vec<String>,
}

impl Registries {
    /// Reads `main`, if it exists, and the `*.conf` of each of `directories`, in the order of their names; a later
    /// entry for the same prefix replaces an earlier one.
    pub(crate) fn read(main: Option<&Path>, directories: &[PathBuf]) -> Result<Self, RegistriesError> {
        let mut all = Self::default();
        let mut files: Vec<PathBuf> = main.map(Path::to_owned).into_iter().collect();
        for directory in directories {
            let mut found = match fs::paths_in(directory) {
                Err(error) if error.is_not_found() => continue,
                other => other?,
            };
            found.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
            found.sort();
            files.append(&mut found);
        }
        for path in files {
            let bytes = match fs::read_limited(&path, SMALL_LIMIT) {
                Err(error) if error.is_not_found() => continue,
                other => other?,
            };
            all.add(&String::from_utf8_lossy(&bytes), &path)?;
        }
        Ok(all)
    }

    fn add(&mut self, text: &str, path: &Path) -> Result<(), RegistriesError> {
        let fail = |reason: String| RegistriesError::Format { path: path.to_owned(), reason };
        let file: File = toml::from_str(text).map_err(|error| fail(error.message().to_owned()))?;
        let lists = file.registries.unwrap_or_default();
        let search = file.unqualified_search_registries.or(lists.search.map(|search| search.registries));
        self.short.add(search, file.short_name_mode.as_deref(), file.aliases).map_err(fail)?;
        let of_lists = lists.insecure.registries.iter().map(|name| (name, true, false));
        let of_lists = of_lists.chain(lists.block.registries.iter().map(|name| (name, false, true)));
        for (name, insecure, blocked) in of_lists {
            match self.entries.iter_mut().find(|entry| entry.prefix == *name) {
                Some(entry) => (entry.insecure, entry.blocked) = (entry.insecure || insecure, entry.blocked || blocked),
                None => self.entries.push(Entry {
                    prefix: name.clone(),
                    location: name.clone(),
                    insecure,
                    blocked,
                    mirrors: Vec::new(),
                    path: path.to_owned(),
                }),
            }
        }
        for found in file.registry {
            let prefix = if found.prefix.is_empty() { &found.location } else { &found.prefix };
            let prefix = prefix.trim_end_matches('/').to_owned();
            if prefix.is_empty() {
                return Err(fail("a `[[registry]]` needs a `location` or a `prefix`".to_owned()));
            }
            if found.location.is_empty() && !prefix.starts_with("*.") && !found.blocked && found.mirror.is_empty() {
                return Err(fail(format!("the registry `{prefix}` needs a `location`")));
            }
            let location = found.location.trim_end_matches('/');
            let mut mirrors = found.mirror;
            if found.mirror_by_digest_only {
                mirrors.iter_mut().for_each(|mirror| mirror.pull_from_mirror = PullFrom::DigestOnly);
            }
            self.entries.retain(|entry| entry.prefix != prefix);
            self.entries.push(Entry {
                location: if location.is_empty() { prefix.clone() } else { location.to_owned() },
                prefix,
                insecure: found.insecure,
                blocked: found.blocked,
                mirrors,
                path: path.to_owned(),
            });
        }
        Ok(())
    }

    /// Where an image can come from: the mirrors, in their order, then the registry itself.
    ///
    /// Fails with `Blocked` if the registry, or a part of it with the image, is blocked.
    pub(crate) fn places(&self, reference: &ImageReference) -> Result<Vec<Place>, RegistriesError> {
        let Some(entry) = self.entry(reference)? else {
            return Ok(vec![Place { reference: reference.clone(), is_insecure: false }]);
        };
        let by_digest = reference.digest().is_some();
        let mut places = Vec::new();
        for mirror in &entry.mirrors {
            let is_asked = match mirror.pull_from_mirror {
                PullFrom::All => true,
                PullFrom::DigestOnly => by_digest,
                PullFrom::TagOnly => !by_digest,
            };
            if is_asked {
                let reference = entry.moved(reference, &mirror.location)?;
                places.push(Place { reference, is_insecure: mirror.insecure });
            }
        }
        places.push(entry.place(reference)?);
        Ok(places)
    }

    /// Where an image is pushed to: the registry itself, no mirror.
    pub(crate) fn place(&self, reference: &ImageReference) -> Result<Place, RegistriesError> {
        match self.entry(reference)? {
            Some(entry) => entry.place(reference),
            None => Ok(Place { reference: reference.clone(), is_insecure: false }),
        }
    }

    /// What a name may stand for when it is pulled, in the order in which registries are tried.
    pub(crate) fn pulled(&self, typed: &str) -> Result<Vec<ImageReference>, RegistriesError> {
        Ok(self.short.pulled(typed)?)
    }

    /// What a name may stand for in the store, the first choice first.
    pub(crate) fn stored(&self, typed: &str) -> Result<Vec<ImageReference>, RegistriesError> {
        Ok(self.short.stored(typed)?)
    }

    /// The registries that a search without a registry asks, and of which a login without one means the first.
    pub(crate) fn searched(&self) -> impl Iterator<Item = &str> {
        self.short.searched()
    }

    /// Whether a registry's certificate is not verified, and plain http will do. Fails with `Blocked` if it is blocked.
    pub(crate) fn is_insecure(&self, registry: &str) -> Result<bool, RegistriesError> {
        match self.entries.iter().find(|entry| entry.matched(registry) == Some(registry)) {
            Some(entry) if entry.blocked => {
                Err(RegistriesError::Blocked { prefix: entry.prefix.clone(), path: entry.path.clone() })
            }
            entry => Ok(entry.is_some_and(|entry| entry.insecure)),
        }
    }

    /// The entry with the longest prefix of the image's name.
    fn entry(&self, reference: &ImageReference) -> Result<Option<&Entry>, RegistriesError> {
        let name = reference.name();
        let matching = self.entries.iter().filter(|entry| entry.matched(&name).is_some());
        match matching.max_by_key(|entry| entry.prefix.len()) {
            Some(entry) if entry.blocked => {
                Err(RegistriesError::Blocked { prefix: entry.prefix.clone(), path: entry.path.clone() })
            }
            other => Ok(other),
        }
    }
}

impl Entry {
    /// The part of a name that the prefix matches: `HOST[/PATH]` whole components of it, `*.HOST` a host below.
    fn matched<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (host, _) = name.split_once('/').unwrap_or((name, ""));
        if let Some(below) = self.prefix.strip_prefix('*') {
            return (host.len() > below.len() && host.ends_with(below)).then_some(host);
        }
        let rest = name.strip_prefix(&self.prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| &name[..self.prefix.len()])
    }

    fn place(&self, reference: &ImageReference) -> Result<Place, RegistriesError> {
        let is_wild = self.location.starts_with('*');
        let reference = if is_wild { reference.clone() } else { self.moved(reference, &self.location)? };
        Ok(Place { reference, is_insecure: self.insecure })
    }

    /// The image's name with `location` in place of the prefix.
    fn moved(&self, reference: &ImageReference, location: &str) -> Result<ImageReference, RegistriesError> {
        let whole = reference.to_string();
        let matched = self.matched(&reference.name()).map_or(0, str::len);
        Ok(format!("{}{}", location.trim_end_matches('/'), &whole[matched..]).parse()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        unqualified-search-registries = ["docker.io"]
        short-name-mode = "permissive"
        [[registry]]
        location = "plain.io:5000"
        insecure = true
        [[registry]]
        prefix = "docker.io/library"
        location = "inner.io/copies"
        [[registry.mirror]]
        location = "mirror.io/library"
        insecure = true
        [[registry.mirror]]
        location = "digests.io"
        pull-from-mirror = "digest-only"
        [[registry]]
        prefix = "bad.io/team"
        blocked = true
        [[registry]]
        prefix = "*.wild.io"
        insecure = true
        [aliases]
        fedora = "registry.fedoraproject.org/fedora"
    "#;

    #[test]
    fn short_names_are_what_the_file_says() {
        let registries = registries(FILE);
        let pulled = |name: &str| registries.pulled(name).expect("names")[0].to_string();
        assert_eq!(pulled("fedora:40"), "registry.fedoraproject.org/fedora:40");
        assert_eq!(pulled("debian"), "docker.io/library/debian:latest");
        for (host, insecure) in [("plain.io:5000", true), ("docker.io", false), ("a.wild.io", true)] {
            assert_eq!(registries.is_insecure(host).ok(), Some(insecure), "{host}");
        }
    }

    fn registries(text: &str) -> Registries {
        let mut registries = Registries::default();
        registries.add(text, Path::new("r.conf")).expect("a configuration");
        registries
    }

    fn shown(places: Result<Vec<Place>, RegistriesError>) -> Vec<String> {
        match places {
            Ok(places) => places
                .iter()
                .map(|place| format!("{}{}", place.reference, if place.is_insecure { " !" } else { "" }))
                .collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn the_longest_prefix_decides_where_an_image_is() {
        let registries = registries(FILE);
        let digest = format!("sha256:{}", "1".repeat(64));
        for (name, expected) in [
            ("h.io/app:1", vec!["h.io/app:1".to_owned()]),
            ("plain.io:5000/app", vec!["plain.io:5000/app:latest !".to_owned()]),
            ("plain.io/app", vec!["plain.io/app:latest".to_owned()]),
            (
                "debian",
                vec!["mirror.io/library/debian:latest !".to_owned(), "inner.io/copies/debian:latest".to_owned()],
            ),
            (
                &format!("debian@{digest}"),
                vec![
                    format!("mirror.io/library/debian@{digest} !"),
                    format!("digests.io/debian@{digest}"),
                    format!("inner.io/copies/debian@{digest}"),
                ],
            ),
            ("docker.io/me/app", vec!["docker.io/me/app:latest".to_owned()]),
            ("bad.io/team/app", vec!["`bad.io/team` is blocked in `r.conf`".to_owned()]),
            ("bad.io/teams/app", vec!["bad.io/teams/app:latest".to_owned()]),
            ("a.wild.io/app", vec!["a.wild.io/app:latest !".to_owned()]),
            ("wild.io/app", vec!["wild.io/app:latest".to_owned()]),
        ] {
            assert_eq!(shown(registries.places(&name.parse().expect("a reference"))), expected, "{name}");
        }
        let pushed = registries.place(&"debian".parse().expect("a reference")).expect("a place");
        assert_eq!(pushed.reference.to_string(), "inner.io/copies/debian:latest");
    }

    #[test]
    fn version_1_is_understood_and_mistakes_are_named() {
        let registries = registries(
            "[registries.search]\nregistries = ['x.io']\n[registries.insecure]\nregistries = ['a.io']\n\
             [registries.block]\nregistries = ['b.io']\n",
        );
        assert_eq!(registries.searched().collect::<Vec<_>>(), ["x.io"]);
        for (name, expected) in
            [("a.io/x", "a.io/x:latest !"), ("b.io/x", "`b.io` is blocked in `r.conf`"), ("c.io/x", "c.io/x:latest")]
        {
            assert_eq!(shown(registries.places(&name.parse().expect("a reference"))), [expected], "{name}");
        }
        for (bad, reason) in [
            ("registry = 1", "invalid type"),
            ("[[registry]]\ninsecure = true", "needs a `location` or a `prefix`"),
            ("[[registry]]\nprefix = 'a.io'", "`a.io` needs a `location`"),
            ("[[registry]]\nlocation = 'a.io'\nblocked = 'yes'", "invalid type"),
        ] {
            let error = Registries::default().add(bad, Path::new("r.conf")).expect_err("a mistake").to_string();
            assert!(error.starts_with("cannot read `r.conf`: ") && error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn drop_ins_replace_what_comes_before_them() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("registries.conf.d");
        fs::create_dir(&directory).expect("a directory");
        let main = home.path().join("registries.conf");
        fs::write(&main, "[[registry]]\nlocation = 'a.io'\ninsecure = true\n").expect("a file");
        fs::write(directory.join("1.conf"), "[[registry]]\nlocation = 'b.io'\ninsecure = true\n").expect("a file");
        fs::write(directory.join("2.conf"), "[[registry]]\nlocation = 'a.io'\nblocked = true\n").expect("a file");
        fs::write(directory.join("README"), "[[").expect("a file");
        let missing = home.path().join("missing");
        let registries = Registries::read(Some(&main), &[missing, directory]).expect("a configuration");
        assert_eq!(shown(registries.places(&"b.io/x".parse().expect("a reference"))), ["b.io/x:latest !"]);
        assert!(shown(registries.places(&"a.io/x".parse().expect("a reference")))[0].contains("is blocked in"));
        assert!(Registries::read(Some(&home.path().join("none")), &[]).expect("no file").entries.is_empty());
    }
}
