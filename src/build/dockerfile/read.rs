//! What an instruction is read from, and what several instructions have in common.

use super::flags::Flags;
use super::heredoc::Document;
use super::instruction::Program;
use super::source::{Problem, Span};
use super::words::Text;

/// What an instruction is read from.
pub(super) struct Read<'a, 'p> {
    /// The instruction's name, in capitals.
    pub(super) name: &'static str,
    /// Its flags.
    pub(super) flags: Flags,
    /// What follows them.
    pub(super) rest: Text<'a>,
    /// Where the instruction's name is.
    pub(super) at: Span,
    /// The documents that the line announces.
    pub(super) documents: Vec<Document>,
    /// The file's escape character.
    pub(super) escape: char,
    /// What is wrong.
    pub(super) problems: &'p mut Vec<Problem>,
}

impl Read<'_, '_> {
    /// Notes that the instruction needs something else.
    pub(super) fn needs<T>(&mut self, what: &str) -> Option<T> {
        self.problems.push(Problem::new(self.at, format!("{} needs {what}", self.name)));
        None
    }

    /// Notes what is wrong with a word.
    pub(super) fn wrong<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.problems.push(Problem::new(span, message));
        None
    }
}

/// A JSON array, or a line for the shell. An empty array may be a program: that of the base is not run.
pub(super) fn program(read: &mut Read<'_, '_>, may_be_empty: bool) -> Option<Program> {
    let program = match read.rest.json() {
        Some(Ok(words)) => Program::Exec(words.into_iter().map(|word| word.text).collect()),
        Some(Err(())) => return read.wrong(read.rest.span(), "an array has only strings, in double quotes"),
        None => Program::Shell(read.rest.text.to_owned()),
    };
    match &program {
        Program::Exec(words) if words.is_empty() && !may_be_empty => read.needs("a command"),
        Program::Shell(line) if line.is_empty() && may_be_empty => read.needs("a command; `[]` is none"),
        Program::Shell(line) if line.is_empty() => read.needs("a command"),
        _ => Some(program),
    }
}
