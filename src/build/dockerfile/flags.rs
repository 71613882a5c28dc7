//! The flags of instructions: which there are, and what was given.

use super::source::{Problem, Span};
use super::words::{Flag, Word};
use crate::types::nearest;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing, `true` or `false`.
    Switch,
    /// A value, once.
    Value,
    /// A value, any number of times.
    Values,
}

/// The flags of each instruction that has some. Source: the Dockerfile reference.
const KNOWN: [(&str, &[(&str, Kind)]); 5] = [
    ("FROM", &[("platform", Kind::Value)]),
    ("RUN", &[("mount", Kind::Values), ("network", Kind::Value), ("security", Kind::Value), ("device", Kind::Values)]),
    (
        "COPY",
        &[
            ("from", Kind::Value),
            ("chown", Kind::Value),
            ("chmod", Kind::Value),
            ("link", Kind::Switch),
            ("parents", Kind::Switch),
            ("exclude", Kind::Values),
        ],
    ),
    (
        "ADD",
        &[
            ("chown", Kind::Value),
            ("chmod", Kind::Value),
            ("link", Kind::Switch),
            ("exclude", Kind::Values),
            ("keep-git-dir", Kind::Switch),
            ("checksum", Kind::Value),
            ("unpack", Kind::Switch),
        ],
    ),
    (
        "HEALTHCHECK",
        &[
            ("interval", Kind::Value),
            ("timeout", Kind::Value),
            ("start-period", Kind::Value),
            ("start-interval", Kind::Value),
            ("retries", Kind::Value),
        ],
    ),
];

/// The flags of an instruction, each known and with the value that it needs.
#[derive(Debug, Default)]
pub(crate) struct Flags(Vec<Flag>);

impl Flags {
    /// Checks the flags of an instruction. What is wrong with one is a problem, and the flag is left out.
    pub(crate) fn new(instruction: &str, flags: Vec<Flag>, problems: &mut Vec<Problem>) -> Self {
        let known = KNOWN.iter().find(|(name, _)| *name == instruction).map_or(&[][..], |(_, known)| known);
        let mut kept: Vec<Flag> = Vec::new();
        for flag in flags {
            let Some((_, kind)) = known.iter().find(|(name, _)| *name == flag.name) else {
                problems.push(unknown(instruction, known, &flag));
                continue;
            };
            let shown = format!("`--{}`", flag.name);
            let wrong = match (kind, flag.value.as_deref()) {
                (Kind::Switch, None) => None,
                (Kind::Switch, Some(value)) => {
                    let is_truth = ["true", "false"].iter().any(|word| word.eq_ignore_ascii_case(value));
                    (!is_truth).then(|| format!("{shown} takes `true` or `false`, not `{}`", value.escape_debug()))
                }
                (_, None) => Some(format!("{shown} needs a value: `--{}=…`", flag.name)),
                (_, Some(_)) => None,
            };
            let is_twice = *kind != Kind::Values && kept.iter().any(|other| other.name == flag.name);
            match wrong.or_else(|| is_twice.then(|| format!("{shown} is given twice"))) {
                Some(message) => problems.push(Problem::new(flag.span, message)),
                None => kept.push(flag),
            }
        }
        Self(kept)
    }

    /// The values of a flag.
    pub(crate) fn values(&self, name: &str) -> Vec<Word> {
        let given = self.0.iter().filter(|flag| flag.name == name);
        given.map(|flag| Word { text: flag.value.clone().unwrap_or_default(), span: flag.span }).collect()
    }

    /// The value of a flag.
    pub(crate) fn value(&self, name: &str) -> Option<Word> {
        self.values(name).pop()
    }

    /// What a switch says, if it is given.
    pub(crate) fn switch(&self, name: &str) -> Option<bool> {
        let flag = self.0.iter().find(|flag| flag.name == name)?;
        Some(flag.value.as_ref().is_none_or(|value| value.eq_ignore_ascii_case("true")))
    }

    /// The first flag that is given.
    pub(crate) fn first(&self) -> Option<(&str, Span)> {
        self.0.first().map(|flag| (flag.name.as_str(), flag.span))
    }
}

fn unknown(instruction: &str, known: &[(&str, Kind)], flag: &Flag) -> Problem {
    let shown = flag.name.escape_debug();
    let problem = Problem::new(flag.span, format!("{instruction} has no flag `--{shown}`"));
    if known.is_empty() {
        return problem.with_hint(format!("{instruction} has no flags"));
    }
    let names = || known.iter().map(|(name, _)| *name);
    let all: Vec<String> = names().map(|name| format!("--{name}")).collect();
    let near = nearest(&flag.name, names()).map(|name| format!("--{name}"));
    problem.with_hint(format!("its flags are {}", all.join(", "))).with_nearest(near.as_deref())
}
