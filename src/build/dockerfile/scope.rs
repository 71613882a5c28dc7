//! Variables: `ARG` and `ENV`, and which of them an instruction sees.
//!
//! ```text
//! ARG V=1            global: only FROM sees it, and an ARG of a stage that names it without a value
//! FROM a:$V
//! ARG V              the caller's value, else the default here, else the global one
//! ENV V=2            wins over an ARG of the same name
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::expand::{Expanded, Expander, Mode};
use super::instruction::Arg;
use super::source::{Problem, Span};
use super::words::Word;
use crate::build::named::short;

/// The most bytes of all variables of an environment together: more a program does not get (execve(2)).
const LIMIT: usize = 2 << 20;

/// A platform in the words of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Platform {
    /// Such as `linux`.
    pub(crate) os: String,
    /// Such as `amd64`.
    pub(crate) architecture: String,
    /// Such as `v8`; often empty.
    pub(crate) variant: String,
}

impl Platform {
    /// A platform; the usual variant of its architecture is none, as in BuildKit. Source: containerd,
    /// `platforms.Normalize`.
    pub(crate) fn new(os: String, architecture: String, variant: Option<String>) -> Self {
        let is_usual = |variant: &String| architecture == "arm64" && variant == "v8";
        let variant = variant.filter(|variant| !is_usual(variant)).unwrap_or_default();
        Self { os, architecture, variant }
    }

    /// `linux/amd64`, `linux/arm64/v8`.
    pub(crate) fn text(&self) -> String {
        let Self { os, architecture, variant } = self;
        if variant.is_empty() { format!("{os}/{architecture}") } else { format!("{os}/{architecture}/{variant}") }
    }
}

/// What the caller gives, beside the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// `--build-arg`.
    pub(crate) arguments: BTreeMap<String, String>,
    /// The platform that builds.
    pub(crate) build_platform: Platform,
    /// The platform of the image.
    pub(crate) platform: Platform,
    /// `--target`.
    pub(crate) target: Option<String>,
    /// The names of contexts that the caller gives, which go before those of stages and images; with the stage that has
    /// another name here.
    pub(crate) contexts: BTreeMap<String, Option<String>>,
}

impl Inputs {
    /// What a name that FROM or `--from` has stands for.
    pub(super) fn meant<'a>(&'a self, name: &'a str) -> Meant<'a> {
        let lower = name.to_lowercase();
        match self.contexts.get_key_value(short(&lower)) {
            None => Meant::Itself(lower),
            Some((_, Some(stage))) => Meant::Itself(stage.clone()),
            Some((context, None)) => Meant::Context(context),
        }
    }
}

/// What a name stands for.
pub(super) enum Meant<'a> {
    /// A stage or an image of this name, in lower case.
    Itself(String),
    /// A context of the caller's.
    Context(&'a str),
}

/// Arguments that every RUN gets if the caller gives them, without an ARG.
pub(crate) const PROXIES: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// Arguments that change the build itself.
pub(crate) const BUILT_IN: [&str; 8] = [
    "BUILDKIT_CACHE_MOUNT_NS",
    "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
    "BUILDKIT_DOCKERFILE_CHECK",
    "BUILDKIT_INLINE_CACHE",
    "BUILDKIT_MULTI_PLATFORM",
    "BUILDKIT_SANDBOX_HOSTNAME",
    "BUILDKIT_SYNTAX",
    "SOURCE_DATE_EPOCH",
];

/// Global arguments with a value without an ARG: FROM sees them, and stages that declare them.
pub(super) fn automatic(inputs: &Inputs, target: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (prefix, platform) in [("BUILD", &inputs.build_platform), ("TARGET", &inputs.platform)] {
        let Platform { os, architecture, variant } = platform;
        let fields = [("PLATFORM", &platform.text()), ("OS", os), ("ARCH", architecture), ("VARIANT", variant)];
        for (name, value) in fields {
            found.insert(format!("{prefix}{name}"), value.clone());
        }
        found.insert(format!("{prefix}OSVERSION"), String::new());
    }
    found.insert("TARGETSTAGE".to_owned(), target.to_owned());
    found
}

/// An environment: names in the order in which they were set first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    places: HashMap<String, usize>,
    variables: Vec<(String, String)>,
    size: usize,
}

impl Environment {
    /// Reads `NAME=value` lines, as an image has them.
    pub(crate) fn new(lines: &[String]) -> Self {
        let mut environment = Self::default();
        for line in lines {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            environment.set(name, value);
        }
        environment
    }

    /// Sets a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.size += name.len() + value.len() + 2;
        match self.places.get(name) {
            Some(place) => {
                let old = std::mem::replace(&mut self.variables[*place].1, value.to_owned());
                self.size -= name.len() + old.len() + 2;
            }
            None => {
                self.places.insert(name.to_owned(), self.variables.len());
                self.variables.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.places.get(name).map(|place| self.variables[*place].1.as_str())
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|(name, _)| name.as_str())
    }

    /// Names and values.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `NAME=value` lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

/// What all stages of a file have in common.
#[derive(Debug)]
pub(super) struct Common<'a> {
    pub(super) expander: Expander,
    /// What the caller gives.
    pub(super) given: &'a BTreeMap<String, String>,
    /// The automatic and the global arguments.
    pub(super) globals: BTreeMap<String, String>,
    /// The global arguments as they are if the caller gives none.
    pub(super) defaults: BTreeMap<String, String>,
    /// Global arguments that were declared, also those without a value.
    pub(super) declared: BTreeSet<String>,
    /// Names of the caller's that were of use.
    pub(super) used: RefCell<BTreeSet<String>>,
}

impl<'a> Common<'a> {
    /// Without a file.
    pub(super) fn bare(given: &'a BTreeMap<String, String>) -> Self {
        Self {
            expander: Expander::new('\\'),
            given,
            globals: BTreeMap::new(),
            defaults: BTreeMap::new(),
            declared: BTreeSet::new(),
            used: RefCell::default(),
        }
    }

    /// Expands a text; the error is a problem of the word.
    pub(super) fn expand(
        &self,
        word: &Word,
        mode: Mode,
        value: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Expanded, Problem> {
        let wrong = |reason| Problem::new(word.span, format!("cannot expand `{}`: {reason}", word.text.escape_debug()));
        self.expander.expand(&word.text, mode, value).map_err(wrong)
    }

    /// Takes so many bytes from what all variables of the file may have together.
    pub(super) fn charge(&self, bytes: usize, span: Span) -> Result<(), Problem> {
        self.expander.charge(bytes).map_err(|reason| Problem::new(span, reason))
    }

    /// The value that the caller gives, which is of use then.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        let value = self.given.get(name)?;
        self.used.borrow_mut().insert(name.to_owned());
        Some(value.clone())
    }
}

/// The variables of a stage.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// `ENV`.
    pub(crate) environment: Environment,
    /// `ARG`, with a value.
    pub(crate) arguments: Environment,
    /// `ARG`, whether with or without a value.
    pub(crate) declared: BTreeSet<String>,
}

impl Scope {
    /// The value of a variable: ENV wins.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.environment.get(name).or_else(|| self.arguments.get(name)).map(str::to_owned)
    }

    /// The names of all variables that have a value.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.environment.names().chain(self.arguments.names())
    }

    /// Declares an argument. Returns the variables that its default value asks for in vain.
    pub(super) fn declare(&mut self, common: &Common<'_>, argument: &Arg) -> Result<BTreeSet<String>, Problem> {
        let name = argument.name.text.as_str();
        let default = argument.value.as_ref();
        let default = default.map(|value| common.expand(value, Mode::Word, &|name| self.value(name))).transpose()?;
        let (default, unset) = default.map_or((None, BTreeSet::new()), |found| (Some(found.text), found.unset));
        let value = common.given(name).or(default).or_else(|| common.globals.get(name).cloned());
        self.declared.insert(name.to_owned());
        if let Some(value) = value {
            self.arguments.set(name, &value);
        }
        self.check(argument.name.span)?;
        Ok(unset)
    }

    /// Sets a variable.
    pub(super) fn set(&mut self, word: &Word, name: &str, value: &str) -> Result<(), Problem> {
        self.environment.set(name, value);
        self.check(word.span)
    }

    /// About how many bytes it has.
    pub(super) fn size(&self) -> usize {
        self.environment.size + self.arguments.size
    }

    fn check(&self, span: Span) -> Result<(), Problem> {
        if self.size() > LIMIT {
            return Err(Problem::new(span, format!("all variables together have more than {} MiB", LIMIT >> 20)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_keeps_its_place_in_the_environment() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let mut environment = Environment::new(&lines(&["A=1", "B=2=3", "C"]));
        environment.set("A", "4");
        environment.set("D", "");
        assert_eq!(environment.lines(), ["A=4", "B=2=3", "C=", "D="]);
        assert_eq!((environment.get("B"), environment.get("X"), environment.size), (Some("2=3"), None, 4 * 4 - 2 + 2));
    }

    #[test]
    fn platforms_are_arguments() {
        let platform = |architecture: &str, variant: &str| Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        };
        let inputs =
            Inputs { build_platform: platform("amd64", ""), platform: platform("arm64", "v8"), ..Inputs::default() };
        let found = automatic(&inputs, "final");
        assert_eq!(
            (found["BUILDPLATFORM"].as_str(), found["TARGETPLATFORM"].as_str()),
            ("linux/amd64", "linux/arm64/v8")
        );
        assert_eq!((found["TARGETARCH"].as_str(), found["TARGETVARIANT"].as_str()), ("arm64", "v8"));
        assert_eq!((found["BUILDVARIANT"].as_str(), found["TARGETSTAGE"].as_str()), ("", "final"));
    }
}
