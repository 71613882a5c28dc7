//! What is wrong, doubtful or on offer in a Dockerfile, for people and in the JSON of `docker buildx build --call`.

mod excerpt;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::build::dockerfile::evaluate::Plan;
use crate::build::dockerfile::file::Dockerfile;
use crate::build::dockerfile::outline::{self, Wanted};
use crate::build::dockerfile::rules::Warning;
use crate::build::dockerfile::source::{Problem, Source, Span};

/// How many problems are shown.
const SHOWN: usize = 50;

/// What is wrong, each with its place, an excerpt, and what to do.
pub(crate) fn problems(source: &Source, problems: &[Problem]) -> Vec<String> {
    let mut lines = Vec::new();
    for problem in problems.iter().take(SHOWN) {
        let at = source.position(problem.span.start);
        lines.push(format!("{}:{}:{}", source.name(), at.line, at.column));
        lines.extend(excerpt::of(source, problem.span, true));
        lines.push(format!("error: {}", problem.message));
        let hint = problem.hint.as_deref().or_else(|| stray_comment(source, problem.span));
        lines.extend(hint.map(|hint| format!("hint: {hint}")));
        lines.push(String::new());
    }
    let more = problems.len().saturating_sub(SHOWN);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// What to do if something is wrong in a line that has a comment at its end, which belongs to the instruction.
fn stray_comment(source: &Source, span: Span) -> Option<&'static str> {
    let line = source.line_text(source.line(span.start));
    let is_stray = !line.trim_start().starts_with('#') && [" #", "\t#"].iter().any(|sign| line.contains(sign));
    is_stray.then_some("`#` begins a comment only at the beginning of a line: put it on a line of its own")
}

/// The place and the lines of an instruction.
pub(crate) fn instruction(source: &Source, span: Span) -> Vec<String> {
    let at = source.position(span.start);
    let mut lines = vec![format!("{}:{}:{}", source.name(), at.line, at.column)];
    lines.extend(excerpt::of(source, span, false));
    lines
}

/// What a check says, in one line.
pub(crate) fn warning(source: &Source, warning: &Warning) -> String {
    let line = source.line(warning.span.start);
    format!("{}: {} ({}:{line})", warning.rule.name, warning.message, source.name())
}

/// What the checks say. Source: docker-buildx-build(1), `--check`.
pub(crate) fn check(source: &Source, plan: &Plan) -> Vec<String> {
    let mut lines = vec![match plan.warnings.len() {
        0 => "Check complete, no warnings found.".to_owned(),
        1 => "Check complete, 1 warning has been found!".to_owned(),
        count => format!("Check complete, {count} warnings have been found!"),
    }];
    for warning in &plan.warnings {
        let url = warning.rule.url().map(|url| format!(" - {url}")).unwrap_or_default();
        lines.push(String::new());
        lines.push(format!("WARNING: {}{url}", warning.rule.name));
        lines.push(warning.message.clone());
        lines.push(format!("{}:{}", source.name(), source.line(warning.span.start)));
        lines.push("-".repeat(20));
        lines.extend(excerpt::of(source, warning.span, false));
        lines.push("-".repeat(20));
    }
    if let Some(name) = &plan.foreign_syntax {
        lines.push(String::new());
        lines.push(format!("note: rc reads the file itself; the front end `{name}` is not fetched"));
    }
    lines
}

/// The names of the checks that have found something.
pub(crate) fn rules(plan: &Plan) -> String {
    let mut names: Vec<&str> = plan.warnings.iter().map(|warning| warning.rule.name).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// [`check`] as an object.
pub(crate) fn check_object(source: &Source, plan: &Plan) -> Value {
    let warning = |warning: &Warning| {
        json!({
            "ruleName": warning.rule.name,
            "description": warning.rule.description,
            "url": warning.rule.url(),
            "detail": warning.message,
            "location": location(source, warning.span),
        })
    };
    json!({
        "warnings": plan.warnings.iter().map(warning).collect::<Vec<_>>(),
        "sources": [{
            "filename": source.name(),
            "language": "Dockerfile",
            "data": STANDARD.encode(source.text()),
        }],
    })
}

/// What a build of the target takes.
pub(crate) fn outline(file: &Dockerfile, plan: &Plan) -> Vec<String> {
    let found = outline::outline(file, plan);
    let mut lines = Vec::new();
    lines.extend(found.name.map(|name| format!("TARGET:      {name}")));
    lines.extend(found.description.map(|text| format!("DESCRIPTION: {text}")));
    if !lines.is_empty() {
        lines.push(String::new());
    }
    let rows = found.arguments.iter().map(|one| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [one.name.clone(), text(&one.value), text(&one.description)].to_vec()
    });
    table(&mut lines, &["BUILD ARG", "VALUE", "DESCRIPTION"], rows.collect());
    for (heading, list) in [("SECRET", &found.secrets), ("SSH", &found.agents)] {
        let rows = list.iter().map(|one| [one.name.clone(), one.is_required.to_string()].to_vec());
        table(&mut lines, &[heading, "REQUIRED"], rows.collect());
    }
    table(&mut lines, &["CACHE"], found.caches.iter().map(|one| [one.name.clone()].to_vec()).collect());
    lines
}

/// [`outline()`] as an object.
pub(crate) fn outline_object(source: &Source, file: &Dockerfile, plan: &Plan) -> Value {
    let found = outline::outline(file, plan);
    let wanted = |list: &[Wanted]| list.iter().map(|one| wanted(source, one)).collect::<Vec<_>>();
    let argument = |one: &outline::Argument| {
        json!({
            "name": one.name,
            "description": one.description,
            "value": one.value,
            "location": location(source, one.span),
        })
    };
    json!({
        "name": found.name,
        "description": found.description,
        "args": found.arguments.iter().map(argument).collect::<Vec<_>>(),
        "secrets": wanted(&found.secrets),
        "ssh": wanted(&found.agents),
        "cache": wanted(&found.caches),
        "sources": [STANDARD.encode(source.text())],
    })
}

fn wanted(source: &Source, one: &Wanted) -> Value {
    json!({ "name": one.name, "required": one.is_required, "location": location(source, one.span) })
}

/// The stages that can be built.
pub(crate) fn targets(file: &Dockerfile) -> Vec<String> {
    let mut lines = Vec::new();
    let rows = outline::targets(file).into_iter().map(|one| {
        let mark = if one.is_default { " (default)" } else { "" };
        [format!("{}{mark}", one.name), one.description.unwrap_or_default()].to_vec()
    });
    table(&mut lines, &["TARGET", "DESCRIPTION"], rows.collect());
    lines
}

/// [`targets`] as an object.
pub(crate) fn targets_object(source: &Source, file: &Dockerfile) -> Value {
    let object = |one: outline::Target| {
        json!({
            "name": one.name,
            "default": one.is_default,
            "description": one.description,
            "base": one.base,
            "platform": one.platform,
            "location": location(source, one.span),
        })
    };
    let targets: Vec<Value> = outline::targets(file).into_iter().map(object).collect();
    json!({ "targets": targets, "sources": [STANDARD.encode(source.text())] })
}

fn location(source: &Source, span: Span) -> Value {
    let (first, last) = source.lines(span);
    json!({ "ranges": [{ "start": { "line": first }, "end": { "line": last } }] })
}

/// Adds aligned columns, if there are rows.
fn table(lines: &mut Vec<String>, headings: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let heading: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..headings.len()).map(|column| width(column).unwrap_or_default()).collect();
    if lines.last().is_some_and(|last| !last.is_empty()) {
        lines.push(String::new());
    }
    for row in &all {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            write!(line, "{cell:width$}   ").unwrap_or_default();
        }
        lines.push(line.trim_end().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::dockerfile::evaluate::{Extent, evaluate};
    use crate::build::dockerfile::scope::Inputs;

    fn checked(text: &str) -> (Source, Dockerfile, Plan) {
        let source = Source::new("Dockerfile", text);
        let file = Dockerfile::read(&source).expect("a file");
        let plan = evaluate(&file, &Inputs::default(), &|_, _| None, None, Extent::All).expect("a plan");
        (source, file, plan)
    }

    #[test]
    fn a_mistake_is_shown_in_its_line() {
        let source = Source::new("Dockerfile", "FROM a\nCOPY . .\nRUN --mount=type=bnid,target=/x make\nCMD [\"x\"]\n");
        let found = Dockerfile::read(&source).expect_err("a mistake");
        assert_eq!(
            problems(&source, &found),
            [
                "Dockerfile:3:5",
                "   1 |     FROM a",
                "   2 |     COPY . .",
                "   3 | >>> RUN --mount=type=bnid,target=/x make",
                "     |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^",
                "   4 |     CMD [\"x\"]",
                "error: there is no mount type `bnid`",
                "hint: did you mean `bind`?",
                "",
            ]
        );
        let many = Source::new("Dockerfile", "x\n".repeat(SHOWN + 2));
        let lines = problems(&many, &Dockerfile::read(&many).expect_err("mistakes"));
        assert_eq!(lines.last().map(String::as_str), Some("… and 2 more"));
    }

    #[test]
    fn checks_are_shown_as_docker_shows_them() {
        let (source, _, plan) = checked("FROM scratch AS Base\nCMD [\"x\"]\n");
        assert_eq!(
            check(&source, &plan),
            [
                "Check complete, 1 warning has been found!",
                "",
                "WARNING: StageNameCasing - https://docs.docker.com/go/dockerfile/rule/stage-name-casing/",
                "Stage name 'Base' should be lowercase",
                "Dockerfile:1",
                "--------------------",
                "   1 | >>> FROM scratch AS Base",
                "   2 |     CMD [\"x\"]",
                "--------------------",
            ]
        );
        let object = check_object(&source, &plan);
        assert_eq!(object["warnings"][0]["location"]["ranges"][0]["start"]["line"], json!(1));
        assert_eq!(
            (object["sources"][0]["data"].as_str(), rules(&plan)),
            (Some("RlJPTSBzY3JhdGNoIEFTIEJhc2UKQ01EIFsieCJdCg=="), "StageNameCasing".to_owned())
        );
    }

    #[test]
    fn targets_and_outlines_are_tables() {
        let (source, file, plan) = checked(
            "# V the version\nARG V=1\n# all everything\nFROM scratch AS all\n\
             RUN --mount=type=secret,id=s,required x\nFROM all\n",
        );
        assert_eq!(targets(&file), ["TARGET        DESCRIPTION", "all           everything", "1 (default)"]);
        assert_eq!(
            outline(&file, &plan),
            [
                "BUILD ARG   VALUE   DESCRIPTION",
                "V           1       the version",
                "",
                "SECRET   REQUIRED",
                "s        true"
            ]
        );
        assert_eq!(targets_object(&source, &file)["targets"][1]["default"], json!(true));
        assert_eq!(outline_object(&source, &file, &plan)["secrets"][0]["required"], json!(true));
    }
}
