//! Why a step was not in the cache: what it depends on now, compared with what it depended on last.
//!
//! A step leaves the table of its inputs in its slot. The first difference, in the order of [`Reason`], is the reason.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::storage::Hasher;

/// How many files are named.
const NAMED: usize = 3;

/// How many characters of an instruction or a value are shown.
const SHOWN: usize = 60;

/// What a step depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Table {
    /// The IDs that its layer is for: `mapped`, or `one`.
    pub(crate) map: String,
    /// The architecture.
    pub(crate) platform: String,
    /// The base, and its digest; only the first step of a stage has it.
    pub(crate) base: Option<(String, String)>,
    /// The instruction, on one line.
    pub(crate) instruction: String,
    /// ENV and the declared ARG: names, and values or, of what looks like a secret, digests.
    pub(crate) variables: BTreeMap<String, String>,
    /// The user, directory, network and the like: names and values.
    pub(crate) settings: BTreeMap<String, String>,
    /// The files: paths, with mode and digest.
    pub(crate) files: BTreeMap<String, Input>,
}

impl Table {
    /// The variables of a step, each `NAME=value`. Of what looks like a secret there is only a digest.
    pub(crate) fn variables(typed: &[String]) -> BTreeMap<String, String> {
        let pairs = typed.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let kept = pairs.map(|(name, value)| match looks_secret(name) {
            true => (name.to_owned(), Hasher::sha256(value.as_bytes()).to_string()),
            false => (name.to_owned(), value.to_owned()),
        });
        kept.collect()
    }
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// Permissions.
    pub(crate) mode: u32,
    /// The digest of all else.
    pub(crate) digest: String,
}

/// Why a step is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// The caller wants it.
    NoCache,
    /// No such step was ever built.
    First,
    /// It was built for other IDs.
    OtherMap,
    /// It was built for another platform: old and new.
    Platform(String, String),
    /// The base moved: its name, old and new digest.
    Base(String, String, String),
    /// The instruction was changed: old and new.
    Instruction(String, String),
    /// A variable was changed: name, old and new value.
    Variable(String, Option<String>, Option<String>),
    /// A setting was changed: name, old and new value.
    Setting(String, Option<String>, Option<String>),
    /// Files were changed.
    Files(Files),
    /// A step before it was taken anew, and has made something else.
    After(String),
    /// What is below was changed.
    Below,
    /// It was built, but what it made was removed.
    Evicted,
    /// It was removed by the user, at this time.
    Pruned(String),
    /// It was removed at this time, because the cache was larger than it may be.
    Trimmed(String),
    /// It was built longer ago than the caller wants.
    Expired,
    /// It copies files that only the cache of others has.
    Unfetched,
}

/// Which files were changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Files {
    /// How many there are.
    pub(crate) total: usize,
    /// Their content is another.
    pub(crate) changed: Vec<String>,
    /// They were not there.
    pub(crate) new: Vec<String>,
    /// They are gone.
    pub(crate) removed: Vec<String>,
    /// Only their mode is another: path, old and new.
    pub(crate) modes: Vec<(String, u32, u32)>,
}

/// Why a step with `new` inputs is taken, of which `old` are those of the last time. If nothing of its own differs,
/// what is `below` it does, or what it made was removed.
pub(crate) fn compare(old: Option<&Table>, new: &Table, below: Below<'_>) -> Reason {
    let Some(old) = old else { return Reason::First };
    if old.map != new.map {
        return Reason::OtherMap;
    }
    if old.platform != new.platform {
        return Reason::Platform(old.platform.clone(), new.platform.clone());
    }
    if let (Some((old_name, before)), Some((name, after))) = (&old.base, &new.base)
        && before != after
    {
        return match old_name == name {
            true => Reason::Base(name.clone(), before.clone(), after.clone()),
            false => Reason::Setting("base".to_owned(), Some(old_name.clone()), Some(name.clone())),
        };
    }
    if old.instruction != new.instruction {
        return Reason::Instruction(old.instruction.clone(), new.instruction.clone());
    }
    if let Some((name, before, after)) = difference(&old.variables, &new.variables) {
        return Reason::Variable(name, before, after);
    }
    if let Some((name, before, after)) = difference(&old.settings, &new.settings) {
        return Reason::Setting(name, before, after);
    }
    let files = files(&old.files, &new.files);
    if files.count() > 0 {
        return Reason::Files(files);
    }
    match below {
        Below::Same => Reason::Evicted,
        Below::Other(None) => Reason::Below,
        Below::Other(Some(step)) => Reason::After(step.to_owned()),
    }
}

/// What is below a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below<'a> {
    /// The same as the last time.
    Same,
    /// Something else, or something that is not known yet: a step that was taken anew, if there is one.
    Other(Option<&'a str>),
}

type Difference = (String, Option<String>, Option<String>);

/// The first name whose values differ.
fn difference(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Option<Difference> {
    let changed = new.iter().find(|(name, value)| old.get(*name) != Some(*value));
    let found = changed.or_else(|| old.iter().find(|(name, _)| !new.contains_key(*name)));
    found.map(|(name, _)| (name.clone(), old.get(name).cloned(), new.get(name).cloned()))
}

fn files(old: &BTreeMap<String, Input>, new: &BTreeMap<String, Input>) -> Files {
    let mut found = Files { total: new.len(), ..Files::default() };
    for (path, after) in new {
        match old.get(path) {
            None => found.new.push(path.clone()),
            Some(before) if before.digest != after.digest => found.changed.push(path.clone()),
            Some(before) if before.mode != after.mode => found.modes.push((path.clone(), before.mode, after.mode)),
            Some(_) => {}
        }
    }
    found.removed.extend(old.keys().filter(|path| !new.contains_key(*path)).cloned());
    found
}

impl Files {
    /// How many differ.
    fn count(&self) -> usize {
        self.changed.len() + self.new.len() + self.removed.len() + self.modes.len()
    }
}

impl fmt::Display for Files {
    /// `3 of 412: app.js changed, new.js new, run.sh mode 644 → 755`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changed = self.changed.iter().map(|path| format!("{path} changed"));
        let new = self.new.iter().map(|path| format!("{path} new"));
        let removed = self.removed.iter().map(|path| format!("{path} removed"));
        let modes = self.modes.iter().map(|(path, old, new)| format!("{path} mode {old:o} → {new:o}"));
        let named: Vec<String> = changed.chain(new).chain(removed).chain(modes).take(NAMED).collect();
        write!(f, "{} of {}: {}", self.count(), self.total.max(self.count()), named.join(", "))?;
        match self.count().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.as_deref().map_or_else(|| "unset".to_owned(), short);
        match self {
            Self::NoCache => write!(f, "--no-cache"),
            Self::First => write!(f, "first build here"),
            Self::OtherMap => write!(f, "other id map"),
            Self::Platform(old, new) => write!(f, "platform changed: {old} → {new}"),
            Self::Base(name, old, new) => {
                // Half of a digest says which one it is.
                let half = |digest: &str| digest.chars().take("sha256:".len() + 12).collect::<String>();
                write!(f, "base {name} moved: {} → {}", half(old), half(new))
            }
            Self::Instruction(old, new) => write!(f, "instruction changed: {} → {}", short(old), short(new)),
            Self::Variable(name, ..) if looks_secret(name) => write!(f, "{name} changed"),
            // Digests say nothing to people.
            Self::Setting(name, Some(old), Some(_)) if old.starts_with("sha256:") => write!(f, "{name} changed"),
            Self::Variable(name, old, new) | Self::Setting(name, old, new) => {
                write!(f, "{name} changed: {} → {}", value(old), value(new))
            }
            Self::Files(files) => write!(f, "files: {files}"),
            Self::After(step) => write!(f, "after {step}"),
            Self::Below => write!(f, "what is below was changed"),
            Self::Evicted => write!(f, "removed from the cache"),
            Self::Pruned(when) => write!(f, "removed from the cache on {} by a prune", day(when)),
            Self::Trimmed(when) => write!(f, "removed from the cache on {} by its size", day(when)),
            Self::Unfetched => write!(f, "not known before the files that it copies are fetched"),
            Self::Expired => write!(f, "older than --cache-ttl"),
        }
    }
}

/// The day of a time in RFC 3339.
fn day(when: &str) -> &str {
    when.split('T').next().unwrap_or_default()
}

/// The beginning of a text.
fn short(text: &str) -> String {
    let mut letters = text.chars();
    let mut shown: String = letters.by_ref().take(SHOWN).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a name may be that of a secret, whose value is not shown. The check of the same kind is stricter, because it
/// warns; this only hides.
fn looks_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["auth", "credential", "key", "pass", "pword", "secret", "token"].iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let input = |digest: &str| Input { mode: 0o644, digest: digest.to_owned() };
        Table {
            map: "m".to_owned(),
            platform: "linux/amd64".to_owned(),
            base: Some(("a:1".to_owned(), "sha256:1".to_owned())),
            instruction: "RUN make".to_owned(),
            variables: map(&[("A", "1"), ("API_KEY", "x")]),
            settings: map(&[("script", "sha256:a"), ("user", "root")]),
            files: ["a", "b", "c", "d"].into_iter().map(|name| (name.to_owned(), input(name))).collect(),
        }
    }

    #[test]
    fn the_first_difference_is_the_reason() {
        let say = |change: fn(&mut Table)| {
            let mut new = table();
            change(&mut new);
            compare(Some(&table()), &new, Below::Other(Some("step 2"))).to_string()
        };
        let text = |text: &str| text.to_owned();
        assert_eq!(compare(None, &table(), Below::Same).to_string(), "first build here");
        assert_eq!(Reason::NoCache.to_string(), "--no-cache");
        let when = || "2026-11-30T16:00:00Z".to_owned();
        assert_eq!(Reason::Pruned(when()).to_string(), "removed from the cache on 2026-11-30 by a prune");
        assert_eq!(Reason::Trimmed(when()).to_string(), "removed from the cache on 2026-11-30 by its size");
        assert_eq!(say(|_| {}), "after step 2");
        assert_eq!(compare(Some(&table()), &table(), Below::Other(None)).to_string(), "what is below was changed");
        assert_eq!(compare(Some(&table()), &table(), Below::Same).to_string(), "removed from the cache");
        assert_eq!(say(|new| "n".clone_into(&mut new.map)), "other id map");
        assert_eq!(
            say(|new| "linux/arm64".clone_into(&mut new.platform)),
            "platform changed: linux/amd64 → linux/arm64"
        );
        assert_eq!(
            say(|new| new.base = Some(("a:1".to_owned(), "sha256:2".to_owned()))),
            "base a:1 moved: sha256:1 → sha256:2"
        );
        assert_eq!(say(|new| new.base = Some(("a:2".to_owned(), "sha256:2".to_owned()))), "base changed: a:1 → a:2");
        assert_eq!(
            say(|new| "RUN make all".clone_into(&mut new.instruction)),
            "instruction changed: RUN make → RUN make all"
        );
        assert_eq!(say(|new| drop(new.variables.insert("A".to_owned(), "2".to_owned()))), "A changed: 1 → 2");
        assert_eq!(say(|new| drop(new.variables.remove("A"))), "A changed: 1 → unset");
        assert_eq!(say(|new| drop(new.variables.insert("API_KEY".to_owned(), "y".to_owned()))), "API_KEY changed");
        assert_eq!(say(|new| drop(new.settings.insert("user".to_owned(), "1".to_owned()))), "user changed: root → 1");
        assert_eq!(say(|new| drop(new.settings.insert("script".to_owned(), "b".to_owned()))), "script changed");
        assert_eq!(text(&short(&"x".repeat(70))).chars().count(), SHOWN + 1);
    }

    #[test]
    fn files_are_named_with_what_happened_to_them() {
        let mut new = table();
        "other".clone_into(&mut new.files.get_mut("a").expect("a file").digest);
        new.files.get_mut("b").expect("a file").mode = 0o755;
        new.files.remove("c");
        new.files.insert("e".to_owned(), Input { mode: 0o644, digest: "e".to_owned() });
        let reason = compare(Some(&table()), &new, Below::Same);
        assert_eq!(reason.to_string(), "files: 4 of 4: a changed, e new, c removed and 1 more");
        new.files = table().files;
        new.files.get_mut("b").expect("a file").mode = 0o755;
        assert_eq!(compare(Some(&table()), &new, Below::Same).to_string(), "files: 1 of 4: b mode 644 → 755");
        assert_eq!(serde_json::to_string(&Reason::First).expect("JSON"), "\"first\"");
    }

    #[test]
    fn what_looks_like_a_secret_is_kept_as_a_digest() {
        let kept = Table::variables(&["A=b=c".to_owned(), "MY_TOKEN=k7Xq9w".to_owned(), "BARE".to_owned()]);
        assert_eq!((kept["A"].as_str(), kept["BARE"].as_str()), ("b=c", ""));
        assert!(kept["MY_TOKEN"].starts_with("sha256:"), "{kept:?}");
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let json = serde_json::to_vec(&table()).expect("JSON");
        assert_eq!(crate::types::json::from_slice::<Table>(&json).expect("a table"), table());
        assert!(crate::types::json::from_str::<Table>("{}").is_ok());
    }
}
