//! Checks of what is typed, without any value of a variable.

use std::collections::{BTreeMap, HashSet};

use super::file::{Dockerfile, Stage};
use super::findings::Findings;
use super::instruction::{Command, Instruction, Program};
use super::rules::{
    CONSISTENT_CASING, DUPLICATE_STAGE_NAME, FROM_AS_CASING, INVALID_DESCRIPTION, JSON_ARGS_RECOMMENDED, JSON_FORM,
    LEGACY_KEY_VALUE, MAINTAINER_DEPRECATED, MULTIPLE_INSTRUCTIONS, NO_EMPTY_CONTINUATION, RESERVED_STAGE_NAME,
    SECRETS_USED, STAGE_NAME_CASING,
};
use super::source::Span;

/// Words that make a variable look like a secret, at its beginning, at its end, or between underscores.
const SECRETS: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];

/// Words that say that it is none.
const NO_SECRETS: [&str; 3] = ["public", "file", "version"];

/// Checks a file.
pub(super) fn check(file: &Dockerfile, findings: &mut Findings) {
    casing(file, findings);
    names(file, findings);
    for instruction in all(file) {
        one(instruction, findings);
    }
    for stage in &file.stages {
        shell_forms(stage, findings);
        repeated(stage, findings);
    }
}

fn all(file: &Dockerfile) -> impl Iterator<Item = &Instruction> {
    let stages = file.stages.iter().flat_map(|stage| std::iter::once(&stage.instruction).chain(&stage.instructions));
    file.globals.iter().chain(stages)
}

fn is_lower(name: &str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_upper(name: &str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// The majority decides.
fn casing(file: &Dockerfile, findings: &mut Findings) {
    let in_stages = || all(file).skip(file.globals.len());
    let lower = in_stages().filter(|one| is_lower(&one.name.text)).count();
    let upper = in_stages().filter(|one| is_upper(&one.name.text)).count();
    for instruction in in_stages() {
        let name = &instruction.name.text;
        let (is_fine, wanted) =
            if lower > upper { (is_lower(name), "lowercase") } else { (is_upper(name), "uppercase") };
        if !is_fine {
            let message = format!("Command '{name}' should match the case of the command majority ({wanted})");
            findings.warn(CONSISTENT_CASING, instruction.span, message);
        }
    }
}

fn names(file: &Dockerfile, findings: &mut Findings) {
    let mut seen = HashSet::new();
    for stage in &file.stages {
        let span = stage.instruction.span;
        let Some(((keyword, alias), name)) = stage.from.alias.as_ref().zip(stage.name.as_deref()) else { continue };
        let from = &stage.instruction.name.text;
        if alias.text != name {
            findings.warn(STAGE_NAME_CASING, span, format!("Stage name '{}' should be lowercase", alias.text));
        }
        let differs = is_lower(from) && !is_lower(&keyword.text) || is_upper(from) && !is_upper(&keyword.text);
        if differs {
            let message = format!("'{}' and '{from}' keywords' casing do not match", keyword.text);
            findings.warn(FROM_AS_CASING, span, message);
        }
        if matches!(name, "context" | "scratch") {
            let message = format!("Stage name should not use the same name as reserved stage \"{name}\"");
            findings.warn(RESERVED_STAGE_NAME, span, message);
        }
        if !seen.insert(name) {
            let message = format!("Duplicate stage name \"{name}\", stage names should be unique");
            findings.warn(DUPLICATE_STAGE_NAME, span, message);
        }
        description("FROM", &[name], instruction_comments(stage), span, findings);
    }
}

fn instruction_comments(stage: &Stage) -> &[String] {
    &stage.instruction.comments
}

fn one(instruction: &Instruction, findings: &mut Findings) {
    let span = instruction.span;
    if let Some(line) = instruction.empty_continuation {
        findings.warn(NO_EMPTY_CONTINUATION, line, "Empty continuation line");
    }
    if instruction.looks_like_json {
        let message = format!("{} looks like an array, but is a line for the shell", instruction.command.name());
        findings.warn(JSON_FORM, span, message);
    }
    match &instruction.command {
        Command::Maintainer(_) => {
            findings.warn(MAINTAINER_DEPRECATED, span, "Maintainer instruction is deprecated in favor of using label");
        }
        Command::Arg(arguments) => {
            let names: Vec<&str> = arguments.iter().map(|argument| argument.name.text.as_str()).collect();
            description("ARG", &names, &instruction.comments, span, findings);
            names.iter().for_each(|name| secret("ARG", name, span, findings));
        }
        Command::Env(pairs) => {
            pairs.pairs.iter().for_each(|(name, _)| secret("ENV", &name.text, span, findings));
            if pairs.is_legacy {
                legacy("ENV", span, findings);
            }
        }
        Command::Label(pairs) if pairs.is_legacy => legacy("LABEL", span, findings),
        _ => {}
    }
}

fn legacy(name: &str, span: Span, findings: &mut Findings) {
    let message = format!("\"{name} key=value\" should be used instead of legacy \"{name} key value\" format");
    findings.warn(LEGACY_KEY_VALUE, span, message);
}

fn secret(instruction: &str, name: &str, span: Span, findings: &mut Findings) {
    let has = |words: &[&str]| name.split('_').any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)));
    if has(&SECRETS) && !has(&NO_SECRETS) {
        let message = format!("Do not use ARG or ENV instructions for sensitive data ({instruction} \"{name}\")");
        findings.warn(SECRETS_USED, span, message);
    }
}

/// The last comment before a definition begins with its name.
fn description(instruction: &str, names: &[&str], comments: &[String], span: Span, findings: &mut Findings) {
    let (Some(comment), Some(first)) = (comments.last(), names.first()) else { return };
    let word = comment.split(' ').next().unwrap_or_default();
    if !names.contains(&word) {
        let shown = if names.len() > 1 { "<arg_key>" } else { first };
        let message = format!("Comment for {instruction} should follow the format: `# {shown} <description>`");
        findings.warn(INVALID_DESCRIPTION, span, message);
    }
}

/// CMD and ENTRYPOINT for a shell that nobody asked for.
fn shell_forms(stage: &Stage, findings: &mut Findings) {
    let mut has_shell = false;
    for instruction in &stage.instructions {
        has_shell |= matches!(instruction.command, Command::Shell(_));
        if let Command::Cmd(Program::Shell(_)) | Command::Entrypoint(Program::Shell(_)) = instruction.command {
            let name = &instruction.name.text;
            let message =
                format!("JSON arguments recommended for {name} to prevent unintended behavior related to OS signals");
            if !has_shell {
                findings.warn(JSON_ARGS_RECOMMENDED, instruction.span, message);
            }
        }
    }
}

/// Of several, only the last one counts.
fn repeated(stage: &Stage, findings: &mut Findings) {
    let mut last: BTreeMap<&str, Span> = BTreeMap::new();
    for instruction in &stage.instructions {
        let name = instruction.command.name();
        if !matches!(name, "CMD" | "ENTRYPOINT" | "HEALTHCHECK") {
            continue;
        }
        if let Some(span) = last.insert(name, instruction.span) {
            let message = format!(
                "Multiple {} instructions should not be used in the same stage because only the last one will be used",
                instruction.name.text
            );
            findings.warn(MULTIPLE_INSTRUCTIONS, span, message);
        }
    }
}
