//! `RUN --mount`: fields separated by commas, as in a line of CSV.
//!
//! Everything is closed: a field, type or value that is not known is an error before anything runs (BuildKit's
//! GHSA-7236-3392-c5c6 came from an unknown word that was passed on).

use super::source::{Problem, Span};
use super::words::Word;
use crate::build::csv;
use crate::types::{nearest, parse_size};

/// A mount for one RUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// What is mounted.
    pub(crate) kind: MountKind,
    /// Where to; relative to the working directory. A secret or an agent may have none.
    pub(crate) target: Option<String>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MountKind {
    /// A directory or file of the context, a stage or an image.
    Bind {
        /// The stage or image; `None` is the context.
        from: Option<String>,
        /// The path in it; `None` is all of it.
        source: Option<String>,
        /// What is written to it is thrown away after the step; otherwise it is read-only.
        is_writable: bool,
    },
    /// A directory that outlives the build.
    Cache {
        /// Its name; that of the target if it has none.
        id: Option<String>,
        /// Whether several steps use it at once.
        sharing: Sharing,
        /// What it has when it is new.
        from: Option<String>,
        /// The path in it.
        source: Option<String>,
        /// It is read-only.
        is_read_only: bool,
        /// Who owns it when it is new, and its mode.
        owner: Owner,
    },
    /// An empty directory in memory.
    Tmpfs {
        /// Its most bytes.
        size: Option<u64>,
    },
    /// A secret.
    Secret {
        /// Its name; otherwise the last component of the target, or the variable.
        id: Option<String>,
        /// The variable that gets the value.
        env: Option<String>,
        /// Without it the step fails.
        is_required: bool,
        /// Of the file.
        owner: Owner,
    },
    /// The socket of an SSH agent.
    Ssh {
        /// Its name.
        id: Option<String>,
        /// Without it the step fails.
        is_required: bool,
        /// Of the socket.
        owner: Owner,
    },
}

/// `sharing` of a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Several steps at once.
    #[default]
    Shared,
    /// Each of them its own.
    Private,
    /// One after the other.
    Locked,
}

/// `mode`, `uid` and `gid`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The mode.
    pub(crate) mode: Option<u32>,
    /// The user.
    pub(crate) uid: Option<u32>,
    /// The group.
    pub(crate) gid: Option<u32>,
}

/// Expands a value.
pub(crate) type Expand<'a> = &'a dyn Fn(&str) -> Result<String, String>;

const TYPES: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

/// The keys, their other names, and the types that have them.
const KEYS: [(&str, &[&str], &[&str]); 14] = [
    ("target", &["dst", "destination"], &TYPES),
    ("source", &["src"], &["bind", "cache", "secret"]),
    ("from", &[], &["bind", "cache"]),
    ("readonly", &["ro"], &["bind", "cache", "tmpfs", "secret", "ssh"]),
    ("readwrite", &["rw"], &["bind", "cache", "tmpfs"]),
    ("id", &[], &["cache", "secret", "ssh"]),
    // podman's. rc sets no labels of SELinux; `run -v` accepts the words, too.
    ("relabel", &["z"], &["bind", "cache"]),
    ("sharing", &[], &["cache"]),
    ("size", &[], &["tmpfs"]),
    ("env", &[], &["secret"]),
    ("required", &[], &["secret", "ssh"]),
    ("mode", &[], &["cache", "secret", "ssh"]),
    ("uid", &[], &["cache", "secret", "ssh"]),
    ("gid", &[], &["cache", "secret", "ssh"]),
];

/// Checks what can be checked before variables have values.
pub(super) fn check(word: &Word) -> Result<(), Problem> {
    let found = fields(word)?;
    let from = found.iter().find(|(key, _)| key == "from").and_then(|(_, from)| from.as_deref());
    if from.is_some_and(has_variable) {
        let message = "`from` of a mount cannot have a variable";
        let hint = "give the image a name, `FROM $IMAGE AS name`, and use that: `from=name`";
        return Err(Problem::new(word.span, message).with_hint(hint));
    }
    if has_variable(&word.text) { Ok(()) } else { read(word, &|value| Ok(value.to_owned())).map(drop) }
}

/// Whether a dollar sign has something after it.
fn has_variable(text: &str) -> bool {
    text.char_indices().any(|(at, letter)| letter == '$' && at + 1 < text.len())
}

/// The stage or image that a mount is from.
pub(super) fn source_of(word: &Word) -> Option<String> {
    fields(word).ok()?.into_iter().find(|(key, _)| key == "from").and_then(|(_, from)| from).filter(|f| !f.is_empty())
}

/// Reads a mount.
pub(super) fn read(word: &Word, expand: Expand<'_>) -> Result<Mount, Problem> {
    let wrong = |message: String| Problem::new(word.span, message);
    let mut kind = "bind".to_owned();
    let mut given: Vec<(&'static str, Option<String>)> = Vec::new();
    for (key, value) in fields(word)? {
        let value = match (key.as_str(), value) {
            ("from", value) => value,
            (_, value) => value.map(|value| expand(&value)).transpose().map_err(wrong)?,
        };
        if key == "type" {
            kind = kind_of(&value.unwrap_or_default(), word.span)?;
            continue;
        }
        let Some((name, ..)) = KEYS.iter().find(|(name, others, _)| *name == key || others.contains(&key.as_str()))
        else {
            let all = KEYS.iter().flat_map(|(name, others, _)| std::iter::once(name).chain(*others)).chain([&"type"]);
            let problem = wrong(format!("a mount has no key `{}`", key.escape_debug()));
            return Err(problem.with_nearest(nearest(&key, all.copied())));
        };
        let is_switch = matches!(*name, "readonly" | "readwrite" | "required" | "relabel");
        if value.is_none() && !is_switch {
            return Err(wrong(format!("`{name}` of a mount needs a value: `{name}=…`")));
        }
        given.retain(|(other, _)| other != name);
        given.push((name, value));
    }
    for (name, _) in &given {
        let types = KEYS.iter().find(|(key, ..)| key == name).map_or(&[][..], |(_, _, types)| types);
        if !types.contains(&kind.as_str()) {
            let hint = format!("only mounts of type {} have it", types.join(" and "));
            return Err(wrong(format!("a mount of type {kind} has no `{name}`")).with_hint(hint));
        }
    }
    Fields { given, span: word.span }.mount(&kind)
}

fn kind_of(value: &str, span: Span) -> Result<String, Problem> {
    let lower = value.to_ascii_lowercase();
    if TYPES.contains(&lower.as_str()) {
        return Ok(lower);
    }
    let problem = Problem::new(span, format!("there is no mount type `{}`", value.escape_debug()));
    Err(problem.with_hint(format!("it is one of {}", TYPES.join(", "))).with_nearest(nearest(&lower, TYPES)))
}

struct Fields {
    given: Vec<(&'static str, Option<String>)>,
    span: Span,
}

impl Fields {
    fn wrong(&self, name: &str, value: &str, needed: &str) -> Problem {
        Problem::new(self.span, format!("`{name}` of a mount must be {needed}, not `{}`", value.escape_debug()))
    }

    fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(key, _)| *key == name)
    }

    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.given.iter().find(|(key, _)| *key == name)?;
        value.clone().filter(|value| !value.is_empty())
    }

    /// A switch without a value is on.
    fn switch(&self, name: &str) -> Result<Option<bool>, Problem> {
        let Some((_, value)) = self.given.iter().find(|(key, _)| *key == name) else { return Ok(None) };
        match value.as_deref() {
            None | Some("1" | "t" | "T" | "true" | "True" | "TRUE") => Ok(Some(true)),
            Some("0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(Some(false)),
            Some(value) => Err(self.wrong(name, value, "true or false")),
        }
    }

    fn number(&self, name: &str, radix: u32) -> Result<Option<u32>, Problem> {
        let Some(value) = self.text(name) else { return Ok(None) };
        let needed = if radix == 8 { "octal, such as 0400" } else { "a number" };
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = u32::from_str_radix(&value, radix).ok().filter(|_| is_number);
        let number = number.filter(|number| radix != 8 || *number <= 0o7777);
        number.map(Some).ok_or_else(|| self.wrong(name, &value, needed))
    }

    fn owner(&self) -> Result<Owner, Problem> {
        Ok(Owner { mode: self.number("mode", 8)?, uid: self.number("uid", 10)?, gid: self.number("gid", 10)? })
    }

    fn sharing(&self) -> Result<Sharing, Problem> {
        let Some(value) = self.text("sharing") else { return Ok(Sharing::default()) };
        match value.to_ascii_lowercase().as_str() {
            "shared" => Ok(Sharing::Shared),
            "private" => Ok(Sharing::Private),
            "locked" => Ok(Sharing::Locked),
            other => {
                let near = nearest(other, ["shared", "private", "locked"]);
                Err(self.wrong("sharing", &value, "shared, private or locked").with_nearest(near))
            }
        }
    }

    fn mount(&self, kind: &str) -> Result<Mount, Problem> {
        // The later of the two counts, as in BuildKit; of one that is repeated, the last.
        let is_writable = match self.given.iter().rev().find(|(key, _)| matches!(*key, "readonly" | "readwrite")) {
            Some((name @ "readonly", _)) => self.switch(name)?.map(|is_read_only| !is_read_only),
            Some((name, _)) => self.switch(name)?,
            None => None,
        };
        let missing = |what: &str| Problem::new(self.span, format!("a mount of type {kind} needs {what}"));
        // Without a target it is the working directory, as in BuildKit; moby's own Dockerfile makes use of that.
        let here = || matches!(kind, "bind" | "cache" | "tmpfs").then(|| ".".to_owned());
        let target = self.text("target").or_else(here);
        if let Some(label) = self.text("relabel").filter(|label| !matches!(label.as_str(), "shared" | "private")) {
            return Err(self.wrong("relabel", &label, "shared or private"));
        }
        let kind = match kind {
            "bind" => MountKind::Bind {
                from: self.text("from"),
                source: self.text("source"),
                is_writable: is_writable.unwrap_or_default(),
            },
            "cache" if self.has("source") && self.text("from").is_none() => {
                let problem = Problem::new(self.span, "`source` of a cache is a path in what `from` names");
                return Err(problem.with_hint("name a stage or an image: `from=…`"));
            }
            "cache" => MountKind::Cache {
                id: self.text("id"),
                sharing: self.sharing()?,
                from: self.text("from"),
                source: self.text("source"),
                is_read_only: is_writable == Some(false),
                owner: self.owner()?,
            },
            "tmpfs" => {
                let size = self.text("size");
                let bytes = size.as_deref().map(parse_size).transpose();
                let needed = "a size, such as 64m";
                let size = bytes.map_err(|_| self.wrong("size", &size.unwrap_or_default(), needed))?;
                MountKind::Tmpfs { size }
            }
            "secret" => {
                if self.has("source") && self.has("id") {
                    return Err(Problem::new(
                        self.span,
                        "`id` and `source` of a secret are the same; give one of them",
                    ));
                }
                let id = self.text("id").or_else(|| self.text("source"));
                let env = self.text("env");
                if id.is_none() && target.is_none() && env.is_none() {
                    return Err(missing("`id`, `target` or `env`"));
                }
                MountKind::Secret {
                    id,
                    env,
                    is_required: self.switch("required")?.unwrap_or_default(),
                    owner: self.owner()?,
                }
            }
            _ => MountKind::Ssh {
                id: self.text("id"),
                is_required: self.switch("required")?.unwrap_or_default(),
                owner: self.owner()?,
            },
        };
        Ok(Mount { kind, target })
    }
}

fn fields(word: &Word) -> Result<Vec<(String, Option<String>)>, Problem> {
    csv::pairs(&word.text).map_err(|reason| Problem::new(word.span, format!("in a mount {reason}")))
}

#[cfg(test)]
mod tests;
