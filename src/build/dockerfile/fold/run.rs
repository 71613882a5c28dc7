//! `RUN`.

use std::collections::BTreeMap;

use super::super::expand::Mode;
use super::super::heredoc;
use super::super::instruction::{Instruction, Program, Run};
use super::super::mount;
use super::super::scope::PROXIES;
use super::super::source::Problem;
use super::super::stages::Origin;
use super::super::steps::{Action, Device, RunStep, SCRIPTS, Script, StepMount};
use super::super::words::Word;
use super::Fold;
use crate::types::container_path::mount_destination;

impl Fold<'_> {
    /// Adds the step of a RUN.
    pub(super) fn run(&mut self, run: &Run, instruction: &Instruction, origins: &[Option<Origin>]) {
        let (argv, script) = self.command(run, instruction);
        let scope = &self.state.scope;
        let is_argument = |name: &str| scope.environment.get(name).is_none();
        let arguments: Vec<String> = scope
            .arguments
            .variables()
            .filter(|(name, _)| is_argument(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let env = [scope.environment.lines(), arguments.clone()].concat();
        let undeclared = PROXIES.into_iter().filter(|name| scope.value(name).is_none());
        let proxies: BTreeMap<String, String> =
            undeclared.filter_map(|name| Some((name.to_owned(), self.common.given(name)?))).collect();
        let mounts = self.mounts(run, instruction, origins);
        let devices = run.devices.iter().filter_map(|word| self.device(word, instruction)).collect();
        // As docker writes it: how many arguments, and they themselves.
        let count =
            if arguments.is_empty() { String::new() } else { format!("|{} {} ", arguments.len(), arguments.join(" ")) };
        let created_by = format!("RUN {count}{}", argv.join(" "));
        let directory = self.absolute("");
        let step = RunStep {
            argv,
            script,
            env,
            proxies,
            user: self.state.settings.user.clone(),
            directory,
            mounts,
            network: run.network,
            security: run.security,
            devices,
        };
        self.step(instruction, Action::Run(Box::new(step)), created_by);
    }

    /// The program, which may be in the Dockerfile.
    fn command(&mut self, run: &Run, instruction: &Instruction) -> (Vec<String>, Option<Script>) {
        let line = match &run.program {
            Program::Exec(words) => return (words.clone(), None),
            Program::Shell(line) => line,
        };
        match run.documents.as_slice() {
            [] => (self.shell(line), None),
            // A document alone is the line, or a program of its own.
            [document] if heredoc::of_word(line).is_some() => {
                let content = document.content();
                if !content.starts_with("#!") {
                    return (self.shell(&content), None);
                }
                if document.name.contains('/') || matches!(document.name.as_str(), "." | "..") {
                    let message = format!("here-document `{}` cannot be a file", document.name.escape_debug());
                    self.findings.problems.push(Problem::new(instruction.name.span, message));
                }
                let argv = vec![format!("{SCRIPTS}/{}", document.name)];
                (argv, Some(Script { name: document.name.clone(), content }))
            }
            // The shell reads the documents itself.
            documents => {
                let mut whole = line.clone();
                for document in documents {
                    whole.push('\n');
                    whole.push_str(&document.raw);
                    whole.push_str(&document.name);
                }
                (self.shell(&whole), None)
            }
        }
    }

    fn mounts(&mut self, run: &Run, instruction: &Instruction, origins: &[Option<Origin>]) -> Vec<StepMount> {
        let mut found: Vec<StepMount> = Vec::new();
        for (index, word) in run.mounts.iter().enumerate() {
            let mut unset = std::collections::BTreeSet::new();
            let scope = &self.state.scope;
            let expander = &self.common.expander;
            let names = std::cell::RefCell::new(&mut unset);
            let expand = |text: &str| {
                let expanded = expander.expand(text, Mode::Word, &|name| scope.value(name))?;
                names.borrow_mut().extend(expanded.unset);
                Ok(expanded.text)
            };
            let mount = mount::read(word, &expand);
            let expanded = super::Expanded { unset, ..super::Expanded::default() };
            self.unset(instruction.span, &expanded);
            let Some(mut mount) = self.findings.take(mount) else { continue };
            // The working directory of a base that is not known need not be `/`.
            let is_sure = self.state.is_known || self.state.has_workdir;
            let is_sure = is_sure || mount.target.as_ref().is_some_and(|target| target.starts_with('/'));
            mount.target = mount.target.map(|target| self.absolute(&target));
            if let Some(target) = mount.target.as_deref().filter(|_| is_sure)
                && let Some(message) = unfit(target, &found)
            {
                self.findings.problems.push(Problem::new(word.span, message));
                continue;
            }
            let origin = origins.get(index).cloned().flatten();
            found.push(StepMount { mount, origin, span: word.span });
        }
        found
    }

    /// `NAME[,required]`.
    fn device(&mut self, word: &Word, instruction: &Instruction) -> Option<Device> {
        let text = self.word(word, instruction.span)?;
        let mut device = Device { name: String::new(), is_required: false, span: word.span };
        for field in text.split(',') {
            match field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value))) {
                // A qualified name, `vendor/class=device`, has an equals sign of its own.
                (key, _) if key.contains('/') && device.name.is_empty() => field.clone_into(&mut device.name),
                ("required", None | Some("true")) => device.is_required = true,
                ("required", Some("false")) => device.is_required = false,
                ("name", Some(name)) => name.clone_into(&mut device.name),
                _ => {
                    let message = format!("`{}` is no part of a device: `NAME[,required]`", field.escape_debug());
                    self.findings.problems.push(Problem::new(word.span, message));
                    return None;
                }
            }
        }
        Some(device)
    }
}

/// Why nothing can be mounted at a path beside the mounts before, if so.
fn unfit(target: &str, others: &[StepMount]) -> Option<String> {
    if let Err(reason) = mount_destination(target) {
        return Some(format!("`--mount`: `{}`: {reason}", target.escape_debug()));
    }
    let is_taken = others.iter().any(|other| other.mount.target.as_deref() == Some(target));
    is_taken.then(|| format!("`--mount`: `{}` is the target of two mounts", target.escape_debug()))
}
