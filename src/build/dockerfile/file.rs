//! A whole Dockerfile: directives, global arguments, stages.

use super::instruction::{Command, From, Instruction};
use super::lines::{Directives, Line, Reader};
use super::source::{FILE_LIMIT, Problem, Source, Span};
use super::{heredoc, parse};

/// The most instructions of a file.
const INSTRUCTIONS: usize = 10_000;

/// A Dockerfile as typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dockerfile {
    /// What the directives at its beginning say.
    pub(crate) directives: Directives,
    /// The `ARG` instructions before the first `FROM`.
    pub(crate) globals: Vec<Instruction>,
    /// The stages, at least one.
    pub(crate) stages: Vec<Stage>,
}

/// A stage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stage {
    /// Its name, in lower case.
    pub(crate) name: Option<String>,
    /// Its `FROM`.
    pub(crate) from: From,
    /// The instruction that is.
    pub(crate) instruction: Instruction,
    /// What follows.
    pub(crate) instructions: Vec<Instruction>,
}

impl Dockerfile {
    /// Reads a Dockerfile. Fails with everything that is wrong in it.
    pub(crate) fn read(source: &Source) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let start = Span { start: 0, end: 0 };
        if source.text().len() > FILE_LIMIT {
            return Err(vec![Problem::new(start, format!("the file has more than {} KiB", FILE_LIMIT >> 10))]);
        }
        let mut reader = Reader::new(source);
        let mut globals = Vec::new();
        let mut stages: Vec<Stage> = Vec::new();
        let mut is_homeless = false;
        let mut count = 0;
        let mut has_from = false;
        while let Some(line) = reader.next(&mut problems) {
            count += 1;
            if count > INSTRUCTIONS {
                problems.push(Problem::new(line.span, format!("the file has more than {INSTRUCTIONS} instructions")));
                break;
            }
            // Also if it is wrong: what follows belongs to it.
            has_from |= line.text.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("FROM"));
            let Some(instruction) = instruction(line, &mut reader, &mut problems) else { continue };
            match (&instruction.command, stages.last_mut()) {
                (Command::From(from), _) => {
                    let name = from.alias.as_ref().map(|(_, name)| name.text.to_lowercase());
                    stages.push(Stage { name, from: from.clone(), instruction, instructions: Vec::new() });
                }
                (_, Some(stage)) => stage.instructions.push(instruction),
                (Command::Arg(_), None) if !has_from => globals.push(instruction),
                (_, None) if has_from || is_homeless => {}
                (command, None) => {
                    is_homeless = true;
                    let message = format!("{} comes before the first FROM", command.name());
                    problems.push(Problem::new(instruction.name.span, message).with_hint("only ARG may"));
                }
            }
        }
        if !has_from && problems.is_empty() {
            problems.push(Problem::new(
                start,
                if count == 0 { "the file has no instructions" } else { "the file has no FROM" },
            ));
        }
        let directives = reader.directives;
        problems.sort_by_key(|problem| problem.span.start);
        if problems.is_empty() { Ok(Self { directives, globals, stages }) } else { Err(problems) }
    }
}

fn instruction(mut line: Line, reader: &mut Reader<'_>, problems: &mut Vec<Problem>) -> Option<Instruction> {
    let documents = if parse::may_have_documents(&line) { heredoc::of_line(&line.text) } else { Vec::new() };
    let documents = reader.documents(&mut line, documents, problems);
    parse::instruction(&line, documents, reader.directives.escape, problems)
}

/// Reads one instruction that is in no file: a trigger of a base image, or `--change`. Its places are all `span`.
pub(crate) fn single(text: &str, span: Span) -> Result<Instruction, Problem> {
    let source = Source::new("", text);
    let mut problems = Vec::new();
    let mut reader = Reader::new(&source);
    let found = reader.next(&mut problems).and_then(|line| instruction(line.placed(span), &mut reader, &mut problems));
    let is_more = reader.next(&mut problems).is_some();
    let problem = problems.into_iter().next().map(|problem| Problem { span, ..problem });
    match (found, problem) {
        (_, Some(problem)) => Err(problem),
        (Some(instruction), None) if !is_more => Ok(Instruction { span, ..instruction }),
        _ => Err(Problem::new(span, "it must be one instruction")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Dockerfile, Vec<String>> {
        let source = Source::new("Dockerfile", text);
        Dockerfile::read(&source).map_err(|problems| {
            let shown = problems.iter().map(|problem| {
                let at = source.position(problem.span.start);
                let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                format!("{}:{} {}{hint}", at.line, at.column, problem.message)
            });
            shown.collect()
        })
    }

    #[test]
    fn stages_have_names_and_instructions() {
        let file = read("ARG V=1\nFROM a:$V AS Build\nRUN x\nFROM scratch\nCOPY --from=build /x /\nCMD [\"/x\"]")
            .expect("fine");
        assert_eq!((file.globals.len(), file.stages.len()), (1, 2));
        assert_eq!(file.stages[0].name.as_deref(), Some("build"));
        assert_eq!(
            file.stages[1].instructions.iter().map(|one| one.command.name()).collect::<Vec<_>>(),
            ["COPY", "CMD"]
        );
    }

    #[test]
    fn all_mistakes_are_found_each_in_its_place() {
        let text =
            "FROM a b\nCOYP x /\nRUN --mount=type=bnid,target=/x \\\n  --netwrok=none y\nEXPOSE\nCMD [1]\nENV A=b C\n";
        assert_eq!(
            read(text).expect_err("mistakes"),
            [
                "1:8 FROM has an image and `AS name`, but no `b`",
                "2:1 there is no instruction `COYP` (did you mean `COPY`?)",
                "3:5 there is no mount type `bnid` (did you mean `bind`?)",
                "4:3 RUN has no flag `--netwrok` (did you mean `--network`?)",
                "5:1 EXPOSE needs a port, such as `80` or `53/udp`",
                "6:5 an array has only strings, in double quotes",
                "7:9 `C` has no value: `name=value` (quote a value that has blanks: `name=\"two words\"`)",
            ]
        );
        for (text, expected) in [
            ("", "1:1 the file has no instructions"),
            ("# x", "1:1 the file has no instructions"),
            ("ARG A", "1:1 the file has no FROM"),
            ("ARG A\nRUN x\nRUN y\nFROM a", "2:1 RUN comes before the first FROM (only ARG may)"),
        ] {
            assert_eq!(read(text).expect_err(text), [expected]);
        }
        let many = format!("FROM a\n{}", "RUN x\n".repeat(INSTRUCTIONS));
        assert_eq!(read(&many).expect_err("many"), ["10001:1 the file has more than 10000 instructions"]);
        let large = " ".repeat(FILE_LIMIT + 1);
        assert_eq!(read(&large).expect_err("large"), ["1:1 the file has more than 1024 KiB"]);
    }

    #[test]
    fn an_instruction_alone_is_read_with_its_documents() {
        let span = Span { start: 3, end: 9 };
        let found = single("COPY <<a /x\nhello\na", span).expect("an instruction");
        let Command::Copy(copy) = found.command else { panic!("no COPY") };
        assert_eq!((copy.documents[0].raw.as_str(), copy.destination.span.start), ("hello\n", 3));
        for (text, expected) in [("", "it must be one instruction"), ("RUN a\nRUN b", "it must be one instruction")] {
            assert_eq!(single(text, span), Err(Problem::new(span, expected)), "{text}");
        }
    }
}
