//! From a line to an instruction. What is wrong is a problem with a place; the other instructions are read on.

use super::flags::Flags;
use super::heredoc::Document;
use super::instruction::{Arg, Command, From, Instruction, NAMES, Network, Pairs, Program, Run, Security};
use super::lines::Line;
use super::read::{Read, program};
use super::source::Problem;
use super::words::{Text, Word};
use super::{copy, health, mount};
use crate::types::{Signal, nearest};

/// Reads a line. `None` if it is wrong.
pub(super) fn instruction(
    line: &Line,
    documents: Vec<Document>,
    escape: char,
    problems: &mut Vec<Problem>,
) -> Option<Instruction> {
    let (name, rest) = Text::new(line).split_first();
    let before = problems.len();
    let (_, after) = rest.split_flags();
    let command = command(&name, rest, documents, escape, problems);
    let is_fine = problems.len() == before;
    let looks_like_json = command
        .as_ref()
        .is_some_and(|command| is_shell_form(command) && after.json().is_none() && after.looks_like_json());
    command.filter(|_| is_fine).map(|command| Instruction {
        name,
        span: line.span,
        text: line.text.trim().to_owned(),
        comments: line.comments.clone(),
        empty_continuation: line.empty_continuation,
        looks_like_json,
        command,
    })
}

fn is_shell_form(command: &Command) -> bool {
    match command {
        Command::Cmd(program) | Command::Entrypoint(program) => matches!(program, Program::Shell(_)),
        Command::Run(run) => matches!(run.program, Program::Shell(_)),
        Command::Copy(_) | Command::Volume(_) => true,
        _ => false,
    }
}

/// Whether here-documents may follow the line: it is RUN, COPY, ADD, or one of them for ONBUILD, and not in JSON form.
pub(super) fn may_have_documents(line: &Line) -> bool {
    let (mut name, mut rest) = Text::new(line).split_first();
    if name.text.eq_ignore_ascii_case("ONBUILD") {
        (name, rest) = rest.split_first();
    }
    ["RUN", "COPY", "ADD"].iter().any(|known| name.text.eq_ignore_ascii_case(known))
        && rest.text.contains("<<")
        && rest.split_flags().1.json().is_none()
}

fn command(
    word: &Word,
    rest: Text<'_>,
    documents: Vec<Document>,
    escape: char,
    problems: &mut Vec<Problem>,
) -> Option<Command> {
    let Some(name) = NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(&word.text)) else {
        let near = nearest(&word.text.to_ascii_uppercase(), NAMES);
        let message = format!("there is no instruction `{}`", word.text.escape_debug());
        problems.push(Problem::new(word.span, message).with_nearest(near));
        return None;
    };
    if name == "ONBUILD" {
        return on_build(word, rest, documents, escape, problems);
    }
    let (flags, rest) = rest.split_flags();
    let flags = Flags::new(name, flags, problems);
    let mut read = Read { name, flags, rest, at: word.span, documents, escape, problems };
    match name {
        "FROM" => from(&mut read).map(Command::From),
        "ARG" => arg(&mut read).map(Command::Arg),
        "ENV" => pairs(&mut read).map(Command::Env),
        "LABEL" => pairs(&mut read).map(Command::Label),
        "RUN" => run(&mut read).map(Command::Run),
        "COPY" | "ADD" => copy::read(&mut read).map(Command::Copy),
        "CMD" => program(&mut read, true).map(Command::Cmd),
        "ENTRYPOINT" => program(&mut read, true).map(Command::Entrypoint),
        "EXPOSE" => match read.rest.plain_words() {
            ports if ports.is_empty() => read.needs("a port, such as `80` or `53/udp`"),
            ports => Some(Command::Expose(ports)),
        },
        "VOLUME" => volume(&mut read).map(Command::Volume),
        "SHELL" => shell(&mut read).map(Command::Shell),
        "HEALTHCHECK" => health::read(&mut read).map(Command::Healthcheck),
        "STOPSIGNAL" => stop_signal(&mut read).map(Command::StopSignal),
        "USER" => one(&mut read, "a user, by name or number").map(Command::User),
        "WORKDIR" => one(&mut read, "a directory").map(Command::Workdir),
        _ => one(&mut read, "a name").map(Command::Maintainer),
    }
}

fn one(read: &mut Read<'_, '_>, what: &str) -> Option<Word> {
    match read.rest.whole() {
        None => read.needs(what),
        word => word,
    }
}

fn on_build(
    word: &Word,
    rest: Text<'_>,
    documents: Vec<Document>,
    escape: char,
    problems: &mut Vec<Problem>,
) -> Option<Command> {
    let (name, after) = rest.split_first();
    let upper = name.text.to_ascii_uppercase();
    let message = match upper.as_str() {
        "" => "ONBUILD needs an instruction".to_owned(),
        "ONBUILD" => "ONBUILD cannot have another ONBUILD".to_owned(),
        "FROM" | "MAINTAINER" => format!("ONBUILD cannot have {upper}"),
        _ => {
            let mut trigger = rest.text.to_owned();
            for document in &documents {
                trigger = format!("{trigger}\n{}{}", document.raw, document.name);
            }
            let inner = command(&name, after, documents, escape, problems)?;
            return Some(Command::OnBuild(trigger, Box::new(inner)));
        }
    };
    problems.push(Problem::new(if upper.is_empty() { word.span } else { name.span }, message));
    None
}

fn from(read: &mut Read<'_, '_>) -> Option<From> {
    let mut words = read.rest.plain_words().into_iter();
    let Some(image) = words.next() else { return read.needs("an image, or the name of a stage") };
    let platform = read.flags.value("platform");
    let alias = match (words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some(keyword), Some(alias), None) if keyword.text.eq_ignore_ascii_case("AS") => Some((keyword, alias)),
        (Some(word), ..) if !word.text.eq_ignore_ascii_case("AS") => {
            let message = format!("FROM has an image and `AS name`, but no `{}`", word.text.escape_debug());
            return read.wrong(word.span, message);
        }
        (Some(keyword), None, _) => return read.wrong(keyword.span, "a name is missing after `AS`"),
        (_, _, Some(word)) => {
            return read
                .wrong(word.span, format!("FROM has nothing after the name, but `{}`", word.text.escape_debug()));
        }
        (Some(_), Some(_), None) => None,
    };
    if let Some((_, name)) = &alias {
        let lower = name.text.to_lowercase();
        let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_.".contains(letter);
        if !lower.starts_with(|first: char| first.is_ascii_lowercase()) || !lower.chars().all(is_letter) {
            let shown = name.text.escape_debug();
            let message = format!("stage name `{shown}` must begin with a letter, and have letters, digits, - _ and .");
            return read.wrong(name.span, message);
        }
    }
    Some(From { image, alias, platform })
}

fn arg(read: &mut Read<'_, '_>) -> Option<Vec<Arg>> {
    let words = read.rest.quoted_words(read.escape);
    if words.is_empty() {
        return read.needs("a name");
    }
    let mut found = Vec::new();
    for word in words {
        let (name, value) = split_pair(&word);
        if name.text.is_empty() {
            return read.wrong(word.span, "ARG needs a name before `=`");
        }
        found.push(Arg { name, value });
    }
    Some(found)
}

/// `name=value`, each with its place.
fn split_pair(word: &Word) -> (Word, Option<Word>) {
    let Some((name, value)) = word.text.split_once('=') else { return (word.clone(), None) };
    let part = |text: &str| Word { text: text.to_owned(), span: word.span };
    (part(name), Some(part(value)))
}

fn pairs(read: &mut Read<'_, '_>) -> Option<Pairs> {
    let words = read.rest.quoted_words(read.escape);
    let Some(first) = words.first() else { return read.needs("`name=value`") };
    if !first.text.contains('=') {
        let (name, value) = read.rest.split_first();
        return match value.whole() {
            None => read.needs(&format!("a value for `{}`: `name=value`", name.text.escape_debug())),
            Some(value) => Some(Pairs { pairs: vec![(name, value)], is_legacy: true }),
        };
    }
    let mut found = Vec::new();
    for word in &words {
        match split_pair(word) {
            (name, _) if name.text.is_empty() => return read.wrong(word.span, "a name is missing before `=`"),
            (name, Some(value)) => found.push((name, value)),
            (name, None) => {
                let message = format!("`{}` has no value: `name=value`", name.text.escape_debug());
                let hint = "quote a value that has blanks: `name=\"two words\"`";
                read.problems.push(Problem::new(word.span, message).with_hint(hint));
                return None;
            }
        }
    }
    Some(Pairs { pairs: found, is_legacy: false })
}

fn run(read: &mut Read<'_, '_>) -> Option<Run> {
    let program = program(read, false)?;
    let mounts = read.flags.values("mount");
    for mount in &mounts {
        read.problems.extend(mount::check(mount).err());
    }
    let network = match choice(read, "network", &["default", "none", "host"])? {
        "none" => Network::None,
        "host" => Network::Host,
        _ => Network::Default,
    };
    let security = match choice(read, "security", &["sandbox", "insecure"])? {
        "insecure" => Security::Insecure,
        _ => Security::Sandbox,
    };
    let documents = std::mem::take(&mut read.documents);
    Some(Run { program, documents, mounts, network, security, devices: read.flags.values("device") })
}

/// The value of a flag that has only these; the first is the default.
fn choice<'c>(read: &mut Read<'_, '_>, flag: &str, choices: &[&'c str]) -> Option<&'c str> {
    let Some(word) = read.flags.value(flag) else { return choices.first().copied() };
    let found = choices.iter().find(|choice| **choice == word.text);
    if found.is_none() {
        let message = format!("`--{flag}` cannot be `{}`", word.text.escape_debug());
        let hint = format!("it is one of {}", choices.join(", "));
        let near = nearest(&word.text, choices.iter().copied());
        read.problems.push(Problem::new(word.span, message).with_hint(hint).with_nearest(near));
    }
    found.copied()
}

fn volume(read: &mut Read<'_, '_>) -> Option<Vec<Word>> {
    let words = match read.rest.json() {
        Some(Ok(words)) => words,
        Some(Err(())) => return read.wrong(read.rest.span(), "an array has only strings, in double quotes"),
        None => read.rest.plain_words(),
    };
    if words.is_empty() || words.iter().any(|word| word.text.trim().is_empty()) {
        return read.needs("a path");
    }
    Some(words)
}

fn shell(read: &mut Read<'_, '_>) -> Option<Vec<String>> {
    match read.rest.json() {
        Some(Ok(words)) if !words.is_empty() => Some(words.into_iter().map(|word| word.text).collect()),
        _ => read.needs("a JSON array: `SHELL [\"/bin/bash\", \"-c\"]`"),
    }
}

fn stop_signal(read: &mut Read<'_, '_>) -> Option<Word> {
    let word = one(read, "a signal, by name or number")?;
    if !word.text.contains('$') && word.text.parse::<Signal>().is_err() {
        return read.wrong(word.span, format!("there is no signal `{}`", word.text.escape_debug()));
    }
    Some(word)
}
