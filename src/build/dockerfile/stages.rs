//! The stages and what they need of each other: from the target backwards along FROM, `COPY --from` and mounts.

mod order;

use std::collections::BTreeMap;

use super::expand::{Expander, Mode};
use super::file::{Dockerfile, Stage, single};
use super::findings::Findings;
use super::instruction::{Command, Instruction};
use super::mount;
use super::rules::{
    INVALID_BASE_IMAGE_PLATFORM, INVALID_DEFAULT_ARG, PLATFORM_CONSTANT, REDUNDANT_TARGET_PLATFORM,
    UNDEFINED_ARG_IN_FROM,
};
use super::scope::{Common, Inputs, Meant, Platform, Scope, automatic};
use super::source::{Problem, Span};
use super::words::Word;
use crate::types::{ImageReference, ImageSettings, nearest};

/// The most triggers of all stages together.
const TRIGGERS: usize = 10_000;

/// Finds an image for a platform, which is that of the target if there is none, if it is known.
pub(crate) type Bases<'a> = &'a dyn Fn(&str, Option<&str>) -> Option<BaseImage>;

/// What is known of an image.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct BaseImage {
    /// Its defaults.
    pub(crate) settings: ImageSettings,
    /// The platform that it is for.
    pub(crate) platform: Platform,
}

/// What a stage begins with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Base {
    /// Nothing.
    Scratch,
    /// Another stage.
    Stage(usize),
    /// An image, or a named context.
    Image {
        /// Its name.
        name: String,
        /// Its defaults, if they are known.
        settings: Option<Box<ImageSettings>>,
    },
}

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A stage.
    Stage(usize),
    /// An image, or a named context.
    Image(String),
}

/// A stage with what it needs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// What it begins with.
    pub(crate) base: Base,
    /// Where its FROM is.
    pub(crate) span: Span,
    /// `--platform`.
    pub(crate) platform: Option<String>,
    /// The triggers of the base, and its own instructions.
    pub(crate) instructions: Vec<Instruction>,
    /// How many of them are triggers.
    pub(crate) triggers: usize,
    /// For each instruction what `--from` or its mounts name, in order.
    pub(crate) origins: Vec<Vec<Option<Origin>>>,
    /// The stages that it needs, each with the place that says so.
    needs: BTreeMap<usize, Span>,
}

impl Node {
    /// The stages that it needs.
    pub(crate) fn needs(&self) -> impl Iterator<Item = usize> {
        self.needs.keys().copied()
    }
}

/// The stages of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Graph {
    /// All of them.
    pub(crate) nodes: Vec<Node>,
    /// The one that is asked for.
    pub(crate) target: usize,
    /// Those that the target needs, itself included, each after those that it needs.
    pub(crate) order: Vec<usize>,
}

/// Finds a stage by its name or number. The error is a sentence, and a name that was probably meant.
pub(crate) fn find(file: &Dockerfile, name: &str) -> Result<usize, (String, Option<String>)> {
    let lower = name.to_lowercase();
    if let Some(found) = file.stages.iter().rposition(|stage| stage.name.as_deref() == Some(lower.as_str())) {
        return Ok(found);
    }
    match name.parse::<usize>() {
        Ok(index) if index < file.stages.len() => Ok(index),
        Ok(index) => Err((format!("there is no stage {index}: the last one is {}", file.stages.len() - 1), None)),
        Err(_) => {
            let names = file.stages.iter().filter_map(|stage| stage.name.as_deref());
            let near = nearest(&lower, names).map(str::to_owned);
            Err((format!("there is no stage `{}`", name.escape_debug()), near))
        }
    }
}

/// What all stages have in common: the global arguments get their values.
pub(super) fn common<'a>(file: &Dockerfile, inputs: &'a Inputs, target: usize, findings: &mut Findings) -> Common<'a> {
    let name = inputs.target.as_ref().and_then(|_| file.stages[target].name.clone());
    let mut common = Common::bare(&inputs.arguments);
    common.expander = Expander::new(file.directives.escape);
    common.globals = automatic(inputs, name.as_deref().unwrap_or("default"));
    // A platform argument that the caller gives replaces the automatic one.
    let replaced: Vec<_> = common.globals.keys().filter_map(|name| Some((name.clone(), common.given(name)?))).collect();
    common.globals.extend(replaced);
    for argument in arguments(&file.globals) {
        let name = argument.name.text.as_str();
        common.declared.insert(name.to_owned());
        let default = argument.value.as_ref();
        let plain = |name: &str| {
            let automatic = || common.globals.get(name).filter(|_| !common.declared.contains(name));
            common.defaults.get(name).or_else(automatic).cloned()
        };
        let plain = default.and_then(|word| common.expand(word, Mode::Word, &plain).ok());
        common.defaults.extend(plain.map(|expanded| (name.to_owned(), expanded.text)));
        let default = default.map(|word| common.expand(word, Mode::Word, &|name| common.globals.get(name).cloned()));
        let default = default.and_then(|expanded| findings.take(expanded)).map(|expanded| expanded.text);
        if let Some(value) = common.given(name).or(default) {
            common.globals.insert(name.to_owned(), value);
        }
    }
    common
}

fn arguments(globals: &[Instruction]) -> impl Iterator<Item = &super::instruction::Arg> {
    globals.iter().flat_map(|one| if let Command::Arg(arguments) = &one.command { arguments.as_slice() } else { &[] })
}

impl Graph {
    /// Finds what each stage needs. What is wrong is among the findings.
    pub(super) fn new(
        file: &Dockerfile,
        inputs: &Inputs,
        common: &Common<'_>,
        target: usize,
        bases: Bases<'_>,
        findings: &mut Findings,
    ) -> Self {
        let mut builder =
            Builder { file, inputs, common, bases, findings, nodes: Vec::new(), scopes: Vec::new(), triggers: 0 };
        for index in 0..file.stages.len() {
            builder.add(index);
        }
        let nodes = builder.nodes;
        let order = order::order(file, &nodes, target, findings);
        Self { nodes, target, order }
    }
}

struct Builder<'a> {
    file: &'a Dockerfile,
    inputs: &'a Inputs,
    common: &'a Common<'a>,
    bases: Bases<'a>,
    findings: &'a mut Findings,
    nodes: Vec<Node>,
    /// The arguments of each stage at its end: `--from` may name them, but no ENV, which would need the base.
    scopes: Vec<Scope>,
    /// How many triggers there are.
    triggers: usize,
}

impl Builder<'_> {
    fn add(&mut self, index: usize) {
        let stage = &self.file.stages[index];
        let platform = self.platform(stage);
        let base = self.base(index, stage, platform.as_deref());
        let triggers = self.triggers(&base, stage);
        let count = triggers.len();
        let instructions: Vec<Instruction> = triggers.into_iter().chain(stage.instructions.iter().cloned()).collect();
        let mut scope = match &base {
            Base::Stage(other) => {
                let charged = self.common.charge(self.scopes[*other].size(), stage.from.image.span);
                self.findings.take(charged).map(|()| self.scopes[*other].clone()).unwrap_or_default()
            }
            _ => Scope::default(),
        };
        let mut needs = BTreeMap::new();
        if let Base::Stage(other) = &base {
            needs.insert(*other, stage.from.image.span);
        }
        let mut origins = Vec::new();
        for instruction in &instructions {
            let found = self.origins(index, instruction, &mut scope);
            for (origin, span) in &found {
                if let Some(Origin::Stage(other)) = origin {
                    needs.entry(*other).or_insert(*span);
                }
            }
            origins.push(found.into_iter().map(|(origin, _)| origin).collect());
        }
        let span = stage.instruction.span;
        self.nodes.push(Node { base, span, platform, instructions, triggers: count, origins, needs });
        self.scopes.push(scope);
    }

    fn base(&mut self, index: usize, stage: &Stage, platform: Option<&str>) -> Base {
        let image = &stage.from.image;
        let scratch = Base::Scratch;
        let Some(expanded) = self.global(image) else { return scratch };
        let name = expanded.text;
        if image.text.contains('$') {
            self.check_defaults(image);
        }
        let names = expanded.unset.iter().chain(&expanded.set);
        let is_empty = |name: &&String| self.common.globals.get(*name).is_none_or(String::is_empty);
        let hint = names
            .clone()
            .find(is_empty)
            .map(|name| format!("give it a value: --build-arg {name}=…, or `ARG {name}=…` before the first FROM"));
        if name.is_empty() {
            let message = format!("the name of the base, `{}`, is empty", image.text.escape_debug());
            self.findings.problems.push(Problem { hint, ..Problem::new(image.span, message) });
            return scratch;
        }
        let lower = match self.inputs.meant(&name) {
            Meant::Context(context) => return self.image(context.to_owned(), platform, stage.instruction.span),
            Meant::Itself(lower) => lower,
        };
        let before = &self.file.stages[..index];
        if let Some(found) = before.iter().rposition(|stage| stage.name.as_deref() == Some(lower.as_str())) {
            return Base::Stage(found);
        }
        if name == "scratch" {
            return scratch;
        }
        if name.parse::<ImageReference>().is_err() {
            let message = format!("base `{}` is no name of an image", name.escape_debug());
            self.findings.problems.push(Problem { hint, ..Problem::new(image.span, message) });
            return scratch;
        }
        self.image(name, platform, stage.instruction.span)
    }

    fn image(&mut self, name: String, platform: Option<&str>, span: Span) -> Base {
        let known = (self.bases)(&name, platform);
        if let Some(known) = &known {
            self.check_platform(&name, &known.platform, platform, span);
        }
        Base::Image { name, settings: known.map(|known| Box::new(known.settings)) }
    }

    /// Expands a word of FROM, which sees only global arguments.
    fn global(&mut self, word: &Word) -> Option<super::expand::Expanded> {
        let common = self.common;
        let expanded = common.expand(word, Mode::Word, &|name| common.globals.get(name).cloned());
        let expanded = self.findings.take(expanded)?;
        let unset = expanded.unset.difference(&common.declared).cloned().collect();
        let names: Vec<&str> = common.globals.keys().chain(&common.declared).map(String::as_str).collect();
        let say = |name: &str| (format!("FROM argument '{name}' is not declared"), "");
        self.findings.unset(UNDEFINED_ARG_IN_FROM, word.span, &unset, &names, true, say);
        Some(expanded)
    }

    /// Whether the image is for the platform that the stage is for.
    fn check_platform(&mut self, name: &str, actual: &Platform, asked: Option<&str>, span: Span) {
        let expected = asked.or(self.common.globals.get("TARGETPLATFORM").map(String::as_str)).unwrap_or_default();
        let mut parts = expected.split('/');
        let (os, architecture) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if !architecture.is_empty() && (os, architecture) != (actual.os.as_str(), actual.architecture.as_str()) {
            let actual = actual.text();
            let message = format!(
                "Base image {name} was pulled with platform \"{actual}\", expected \"{expected}\" for current build"
            );
            self.findings.warn(INVALID_BASE_IMAGE_PLATFORM, span, message);
        }
    }

    /// Whether the name is valid if the caller gives no arguments.
    fn check_defaults(&mut self, image: &Word) {
        let common = self.common;
        let value = |name: &str| {
            let automatic = || common.globals.get(name).filter(|_| !common.declared.contains(name));
            common.defaults.get(name).or_else(automatic).cloned()
        };
        let Ok(expanded) = common.expand(image, Mode::Word, &value) else { return };
        let is_name = |name: &str| name == "scratch" || name.parse::<ImageReference>().is_ok();
        if !is_name(&expanded.text) {
            let message = format!("Default value for ARG {} results in empty or invalid base image name", image.text);
            self.findings.warn(INVALID_DEFAULT_ARG, image.span, message);
        }
    }

    fn platform(&mut self, stage: &Stage) -> Option<String> {
        let word = stage.from.platform.as_ref()?;
        let expanded = self.global(word)?;
        let text = expanded.text;
        let is_word = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-()".contains(&byte))
        };
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > 3 || !parts.iter().all(|part| is_word(part)) {
            let message = format!("platform `{}` must be such as linux/arm64 or linux/arm/v7", text.escape_debug());
            self.findings.problems.push(Problem::new(word.span, message));
            return None;
        }
        if expanded.set.is_empty() && expanded.unset.is_empty() {
            let name = stage.name.as_deref().unwrap_or_default();
            if !parts.iter().take(2).any(|part| name.contains(part)) {
                let message = format!("FROM --platform flag should not use constant value \"{text}\"");
                self.findings.warn(PLATFORM_CONSTANT, stage.instruction.span, message);
            }
        }
        let is_target = expanded.unset.is_empty() && expanded.set.iter().eq(["TARGETPLATFORM"].iter());
        if is_target && self.common.globals.get("TARGETPLATFORM") == Some(&text) {
            let shown = word.text.as_str();
            let message =
                format!("Setting platform to predefined {shown} in FROM is redundant as this is the default behavior");
            self.findings.warn(REDUNDANT_TARGET_PLATFORM, stage.instruction.span, message);
        }
        Some(text)
    }

    /// What the base runs right after FROM.
    fn triggers(&mut self, base: &Base, stage: &Stage) -> Vec<Instruction> {
        let span = stage.instruction.span;
        let texts: Vec<String> = match base {
            Base::Scratch => Vec::new(),
            Base::Image { settings, .. } => settings.as_ref().map(|found| found.on_build.clone()).unwrap_or_default(),
            Base::Stage(other) => {
                let instructions = &self.file.stages[*other].instructions;
                let text = |one: &Instruction| match &one.command {
                    Command::OnBuild(text, _) => Some(text.clone()),
                    _ => None,
                };
                instructions.iter().filter_map(text).collect()
            }
        };
        let mut found = Vec::new();
        for text in texts {
            self.triggers += 1;
            if self.triggers > TRIGGERS {
                let message = format!("the file has more than {TRIGGERS} triggers of its own and its bases");
                self.findings.problems.push(Problem::new(span, message));
                break;
            }
            let problem = |problem: Problem| Problem {
                message: format!("trigger `{}` of the base: {}", text.escape_debug(), problem.message),
                ..problem
            };
            let Some(instruction) = self.findings.take(single(&text, span).map_err(problem)) else { continue };
            let name = instruction.command.name();
            if matches!(name, "FROM" | "ONBUILD" | "MAINTAINER") {
                let message = format!("the base has a trigger that cannot be one: {name}");
                self.findings.problems.push(Problem::new(span, message));
            } else {
                found.push(instruction);
            }
        }
        found
    }

    fn origins(&mut self, index: usize, instruction: &Instruction, scope: &mut Scope) -> Vec<(Option<Origin>, Span)> {
        match &instruction.command {
            Command::Arg(arguments) => {
                for argument in arguments {
                    // What is wrong is noted when the stage is built.
                    drop(scope.declare(self.common, argument));
                }
                Vec::new()
            }
            Command::Copy(copy) => {
                let Some(word) = &copy.from else { return vec![(None, instruction.span)] };
                let value = |name: &str| scope.arguments.get(name).map(str::to_owned);
                let value = |name: &str| value(name).or_else(|| self.common.globals.get(name).cloned());
                let expanded = self.common.expand(word, Mode::Word, &value);
                let origin = self.findings.take(expanded).and_then(|name| self.origin(index, &name.text, word.span));
                vec![(origin, word.span)]
            }
            Command::Run(run) => {
                let origin = |word: &Word| mount::source_of(word).map(|name| (name, word.span));
                let named: Vec<_> = run.mounts.iter().map(|word| (origin(word), word.span)).collect();
                let origin = |(named, span): (Option<(String, Span)>, Span)| {
                    (named.and_then(|(name, span)| self.origin(index, &name, span)), span)
                };
                named.into_iter().map(origin).collect()
            }
            _ => Vec::new(),
        }
    }

    fn origin(&mut self, index: usize, name: &str, span: Span) -> Option<Origin> {
        if name.is_empty() {
            self.findings.problems.push(Problem::new(span, "the name of a stage or image is empty"));
            return None;
        }
        let lower = match self.inputs.meant(name) {
            Meant::Context(context) => return Some(Origin::Image(context.to_owned())),
            Meant::Itself(lower) => lower,
        };
        let is_named = |stage: &Stage| stage.name.as_deref() == Some(lower.as_str());
        let earlier = self.file.stages[..index].iter().rposition(is_named);
        if let Some(found) = earlier.or_else(|| self.file.stages.iter().position(is_named)) {
            return Some(Origin::Stage(found));
        }
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return match find(self.file, name) {
                Ok(found) => Some(Origin::Stage(found)),
                Err((message, _)) => self.findings.take(Err(Problem::new(span, message))),
            };
        }
        if name.parse::<ImageReference>().is_err() {
            let message = format!("`{}` is no name of a stage or an image", name.escape_debug());
            return self.findings.take(Err(Problem::new(span, message)));
        }
        Some(Origin::Image(name.to_owned()))
    }
}
