//! Folds the instructions of a stage into steps and the configuration of its image.
//!
//! ENV, LABEL, CMD and the like change the configuration at once: no step, no cost. RUN, COPY, ADD and WORKDIR are
//! left. An instruction sees the variables from before it. What is wrong is noted, and the rest is folded on.

mod files;
mod ports;
mod run;

use serde_json::json;

use super::expand::{Expanded, Mode};
use super::findings::Findings;
use super::instruction::{Command, Instruction, Pairs, Program};
use super::rules::{UNDEFINED_VAR, WORKDIR_RELATIVE_PATH};
use super::scope::{Common, Environment};
use super::source::{Problem, Span};
use super::stages::{Base, Node, Origin};
use super::steps::{Action, Entry, Folded, Step};
use super::words::Word;
use crate::build::ignore::Ignore;
use crate::types::{ImageSettings, Signal};

/// The PATH of an image that has none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The shell of an image that names none.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// Folds a stage. `base` is the stage that it begins with, already folded, if it does.
pub(super) fn fold(
    node: &Node,
    base: Option<&Folded>,
    common: &Common<'_>,
    ignore: Option<&Ignore>,
    findings: &mut Findings,
) -> Folded {
    let begin = match (&node.base, base) {
        (Base::Stage(_), Some(base)) => {
            let charged = common.charge(size(&base.settings) + base.scope.size(), node.span);
            let taken =
                findings.take(charged).map(|()| Folded { steps: Vec::new(), history: Vec::new(), ..base.clone() });
            taken.unwrap_or_default()
        }
        (Base::Image { settings: Some(settings), .. }, _) => from_settings(settings, true),
        (Base::Image { settings: None, .. }, _) => from_settings(&ImageSettings::default(), false),
        _ => from_settings(&ImageSettings::default(), true),
    };
    let mut fold = Fold { state: begin, common, ignore, findings, has_cmd: false, ports: 0 };
    fold.state.settings.on_build.clear();
    for (instruction, origins) in node.instructions.iter().zip(&node.origins) {
        fold.instruction(instruction, origins);
    }
    fold.state.settings.env = fold.state.scope.environment.lines();
    fold.state
}

/// Applies an instruction that is in no stage, as for `--change`, to the defaults of an image.
pub(super) fn apply(
    instruction: &Instruction,
    settings: &ImageSettings,
    common: &Common<'_>,
    findings: &mut Findings,
) -> Folded {
    let mut state = Folded { settings: settings.clone(), is_known: true, ..Folded::default() };
    state.scope.environment = Environment::new(&settings.env);
    let on_build = settings.on_build.clone();
    let mut fold = Fold { state, common, ignore: None, findings, has_cmd: true, ports: 0 };
    fold.state.settings.on_build = on_build;
    fold.instruction(instruction, &[]);
    fold.state.settings.env = fold.state.scope.environment.lines();
    fold.state
}

fn from_settings(settings: &ImageSettings, is_known: bool) -> Folded {
    let mut folded = Folded { settings: settings.clone(), is_known, ..Folded::default() };
    folded.scope.environment = Environment::new(&settings.env);
    if folded.scope.environment.get("PATH").is_none() {
        folded.scope.environment.set("PATH", PATH);
    }
    folded
}

/// About how many bytes they have.
fn size(settings: &ImageSettings) -> usize {
    let lists = [&settings.env, &settings.entrypoint, &settings.cmd, &settings.on_build, &settings.shell];
    let words = lists.into_iter().flatten().map(String::len).sum::<usize>();
    let labels = settings.labels.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    words + labels + settings.volumes.keys().chain(settings.exposed_ports.keys()).map(String::len).sum::<usize>()
}

struct Fold<'a> {
    state: Folded,
    common: &'a Common<'a>,
    ignore: Option<&'a Ignore>,
    findings: &'a mut Findings,
    /// The stage has a CMD of its own.
    has_cmd: bool,
    /// How many ports its EXPOSE name, one by one.
    ports: usize,
}

impl Fold<'_> {
    fn instruction(&mut self, instruction: &Instruction, origins: &[Option<Origin>]) {
        let span = instruction.span;
        match &instruction.command {
            Command::From(_) => {}
            Command::Arg(arguments) => {
                for argument in arguments {
                    let declared = self.state.scope.declare(self.common, argument);
                    if let Some(unset) = self.findings.take(declared) {
                        self.unset(span, &Expanded { unset, ..Expanded::default() });
                    }
                }
                self.note(self.argument_text(arguments));
            }
            Command::Env(pairs) => self.environment(pairs, span),
            Command::Label(pairs) => {
                let labels = self.pairs(pairs, span);
                self.note(format!("LABEL {}", shown(labels.iter().map(|(_, name, value)| (name, value)))));
                self.state.settings.labels.extend(labels.into_iter().map(|(_, name, value)| (name, value)));
            }
            Command::Run(run) => self.run(run, instruction, origins),
            Command::Copy(copy) => self.copy(copy, instruction, origins),
            Command::Cmd(program) => {
                self.has_cmd = true;
                self.state.settings.cmd = self.program(program);
                self.state.settings.args_escaped = None;
                self.note(format!("CMD {}", list(&self.state.settings.cmd)));
            }
            Command::Entrypoint(program) => {
                self.state.settings.entrypoint = self.program(program);
                // The CMD of the base was for the base's entry point.
                if !self.has_cmd {
                    self.state.settings.cmd.clear();
                }
                self.note(format!("ENTRYPOINT {}", list(&self.state.settings.entrypoint)));
            }
            Command::Expose(words) => self.expose(words, span),
            Command::Volume(words) => self.volume(words, span),
            Command::User(word) => {
                if let Some(user) = self.word(word, span) {
                    self.note(format!("USER {user}"));
                    self.state.settings.user = user;
                }
            }
            Command::Workdir(word) => self.workdir(word, instruction),
            Command::StopSignal(word) => self.stop_signal(word, span),
            Command::Shell(words) => {
                self.note(format!("SHELL [{}]", words.join(" ")));
                self.state.settings.shell.clone_from(words);
            }
            Command::Healthcheck(check) => {
                self.state.settings.healthcheck = Some(check.clone());
                self.note(instruction.text.clone());
            }
            Command::OnBuild(text, _) => {
                self.state.settings.on_build.push(text.clone());
                self.note(format!("ONBUILD {text}"));
            }
            Command::Maintainer(word) => {
                self.state.author = Some(word.text.clone());
                self.note(format!("MAINTAINER {}", word.text));
            }
        }
    }

    fn note(&mut self, created_by: String) {
        self.state.history.push(Entry { created_by, step: None });
    }

    fn step(&mut self, instruction: &Instruction, action: Action, created_by: String) {
        let step = Step { span: instruction.span, text: instruction.text.clone(), action };
        self.state.history.push(Entry { created_by, step: Some(self.state.steps.len()) });
        self.state.steps.push(step);
    }

    /// Expands a word of an instruction.
    fn expand(&mut self, word: &Word, mode: Mode, span: Span) -> Option<Expanded> {
        let expanded = self.common.expand(word, mode, &|name| self.state.scope.value(name));
        let expanded = self.findings.take(expanded)?;
        self.unset(span, &expanded);
        Some(expanded)
    }

    fn word(&mut self, word: &Word, span: Span) -> Option<String> {
        self.expand(word, Mode::Word, span).map(|expanded| expanded.text)
    }

    /// Warns of variables without a value. A declared argument need not have one.
    fn unset(&mut self, span: Span, expanded: &Expanded) {
        if expanded.unset.is_empty() {
            return;
        }
        let scope = &self.state.scope;
        let unset = expanded.unset.difference(&scope.declared).cloned().collect();
        let say = |name: &str| (format!("Usage of undefined variable '${name}'"), "$");
        let names: Vec<&str> = scope.names().collect();
        self.findings.unset(UNDEFINED_VAR, span, &unset, &names, self.state.is_known, say);
    }

    fn pairs(&mut self, pairs: &Pairs, span: Span) -> Vec<(Word, String, String)> {
        let mut found = Vec::new();
        for (name, value) in &pairs.pairs {
            let (Some(text), Some(value)) = (self.word(name, span), self.word(value, span)) else { continue };
            if text.is_empty() {
                let message = format!("the name `{}` is empty", name.text.escape_debug());
                self.findings.problems.push(Problem::new(name.span, message));
                continue;
            }
            found.push((name.clone(), text, value));
        }
        found
    }

    fn environment(&mut self, pairs: &Pairs, span: Span) {
        // All values are from before the instruction: `ENV A=1 B=$A` sees the former A.
        let found = self.pairs(pairs, span);
        self.note(format!("ENV {}", shown(found.iter().map(|(_, name, value)| (name, value)))));
        for (word, name, value) in found {
            let set = self.state.scope.set(&word, &name, &value);
            self.findings.take(set);
        }
    }

    fn program(&self, program: &Program) -> Vec<String> {
        match program {
            Program::Exec(words) => words.clone(),
            Program::Shell(line) => self.shell(line),
        }
    }

    /// The shell with a line.
    fn shell(&self, line: &str) -> Vec<String> {
        let shell = &self.state.settings.shell;
        let shell = if shell.is_empty() { SHELL.map(str::to_owned).to_vec() } else { shell.clone() };
        shell.into_iter().chain([line.to_owned()]).collect()
    }

    fn volume(&mut self, words: &[Word], span: Span) {
        let mut paths = Vec::new();
        for word in words {
            match self.word(word, span) {
                Some(path) if !path.trim().is_empty() => paths.push(path),
                Some(_) => {
                    let message = format!("the path `{}` is empty", word.text.escape_debug());
                    self.findings.problems.push(Problem::new(word.span, message));
                }
                None => {}
            }
        }
        self.note(format!("VOLUME [{}]", paths.join(" ")));
        self.state.settings.volumes.extend(paths.into_iter().map(|path| (path, json!({}))));
    }

    fn workdir(&mut self, word: &Word, instruction: &Instruction) {
        let Some(path) = self.word(word, instruction.span) else { return };
        if path.is_empty() {
            let message = format!("the directory `{}` is empty", word.text.escape_debug());
            self.findings.problems.push(Problem::new(word.span, message));
            return;
        }
        if !path.starts_with('/') && !self.state.has_workdir {
            let message = format!("Relative workdir \"{path}\" can have unexpected results if the base image changes");
            self.findings.warn(WORKDIR_RELATIVE_PATH, instruction.span, message);
        }
        self.state.has_workdir = true;
        let path = self.absolute(&path);
        self.state.settings.working_dir.clone_from(&path);
        let user = self.state.settings.user.clone();
        self.step(instruction, Action::Workdir { path: path.clone(), user }, format!("WORKDIR {path}"));
    }

    /// The path below the working directory, cleaned; a `/` at its end goes.
    fn absolute(&self, path: &str) -> String {
        let directory = if path.starts_with('/') { "" } else { self.state.settings.working_dir.as_str() };
        let mut parts: Vec<&str> = Vec::new();
        for part in directory.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    fn stop_signal(&mut self, word: &Word, span: Span) {
        let Some(signal) = self.word(word, span) else { return };
        if signal.parse::<Signal>().is_err() {
            let message = format!("there is no signal `{}`", signal.escape_debug());
            self.findings.problems.push(Problem::new(word.span, message));
            return;
        }
        self.note(format!("STOPSIGNAL {signal}"));
        self.state.settings.stop_signal = signal;
    }

    fn argument_text(&self, arguments: &[super::instruction::Arg]) -> String {
        let text = |argument: &super::instruction::Arg| {
            let name = argument.name.text.as_str();
            let value = self.state.scope.arguments.get(name);
            value.map_or_else(|| name.to_owned(), |value| format!("{name}={value}"))
        };
        format!("ARG {}", arguments.iter().map(text).collect::<Vec<_>>().join(" "))
    }
}

fn shown<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// `["a" "b"]`, as BuildKit has it in histories.
fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" "))
}
