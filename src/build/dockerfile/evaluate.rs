//! A Dockerfile with what the caller gives: stages, steps, configurations, and what is wrong or doubtful.

use std::collections::BTreeMap;

use super::checks;
use super::file::{Dockerfile, single};
use super::findings::Findings;
use super::fold;
use super::rules::{Selection, Warning};
use super::scope::{BUILT_IN, Inputs, PROXIES};
use super::source::{Problem, Span};
use super::stages::{Base, Bases, Graph, common, find};
use super::steps::Folded;
use crate::build::ignore::Ignore;
use crate::types::ImageSettings;

/// A Dockerfile, evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The stages, and what they need of each other.
    pub(crate) graph: Graph,
    /// Each stage that the target needs, folded; the others are not there.
    pub(crate) stages: BTreeMap<usize, Folded>,
    /// What checks say.
    pub(crate) warnings: Vec<Warning>,
    /// Warnings end the build.
    pub(crate) warnings_are_errors: bool,
    /// Arguments of the caller's that nothing asks for.
    pub(crate) unused: Vec<String>,
    /// Another front end that `# syntax=` or `BUILDKIT_SYNTAX` names. rc has its own and fetches none.
    pub(crate) foreign_syntax: Option<String>,
    /// The global arguments, the automatic ones among them.
    pub(crate) globals: BTreeMap<String, String>,
}

/// Which stages are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Those that the target needs.
    Needed,
    /// All, to check them.
    All,
}

/// Evaluates a file. Fails with everything that is wrong.
pub(crate) fn evaluate(
    file: &Dockerfile,
    inputs: &Inputs,
    bases: Bases<'_>,
    ignore: Option<&Ignore>,
    extent: Extent,
) -> Result<Plan, Vec<Problem>> {
    let start = Span { start: 0, end: 0 };
    let target = match &inputs.target {
        None => file.stages.len() - 1,
        Some(name) => find(file, name)
            .map_err(|(message, near)| vec![Problem::new(start, message).with_nearest(near.as_deref())])?,
    };
    let given = inputs.arguments.get("BUILDKIT_DOCKERFILE_CHECK").map(|text| (text.as_str(), start));
    let typed = file.directives.check.as_ref().map(|(text, span)| (text.as_str(), *span));
    let (text, span) = given.or(typed).unwrap_or(("", start));
    let mut findings = match Selection::new(text, span) {
        Ok(selection) => Findings::new(selection),
        Err(problem) => return Err(vec![problem]),
    };
    checks::check(file, &mut findings);
    let common = common(file, inputs, target, &mut findings);
    let graph = Graph::new(file, inputs, &common, target, bases, &mut findings);
    let needed: Vec<usize> = match extent {
        Extent::Needed => graph.order.clone(),
        Extent::All => (0..graph.nodes.len()).collect(),
    };
    let mut stages: BTreeMap<usize, Folded> = BTreeMap::new();
    // FROM names only stages before it, so the order of the file does for folding.
    let mut folded: Vec<usize> = needed;
    folded.sort_unstable();
    for index in folded {
        let node = &graph.nodes[index];
        let base = match node.base {
            Base::Stage(other) => stages.get(&other),
            _ => None,
        };
        let stage = fold::fold(node, base, &common, ignore, &mut findings);
        stages.insert(index, stage);
    }
    findings.problems.sort_by_key(|problem| problem.span.start);
    findings.problems.dedup();
    if !findings.problems.is_empty() {
        return Err(findings.problems);
    }
    findings.warnings.sort_by_key(|warning| warning.span.start);
    let used = common.used.borrow();
    let is_unused = |name: &&String| {
        !used.contains(*name) && !PROXIES.contains(&name.as_str()) && !BUILT_IN.contains(&name.as_str())
    };
    let unused = inputs.arguments.keys().filter(is_unused).cloned().collect();
    let warnings_are_errors = findings.selection.is_error;
    let globals = common.globals.clone();
    let asked = inputs.arguments.get("BUILDKIT_SYNTAX").map(String::as_str);
    let asked = asked.or(file.directives.syntax.as_ref().map(|(text, _)| text.as_str()));
    let foreign_syntax = asked.filter(|name| !is_own_language(name)).map(str::to_owned);
    let warnings = findings.warnings;
    Ok(Plan { graph, stages, warnings, warnings_are_errors, unused, foreign_syntax, globals })
}

/// Whether a front end has the language that rc has: docker's, in any version.
fn is_own_language(name: &str) -> bool {
    let name = name.split([':', '@', ' ']).next().unwrap_or_default();
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    matches!(name, "docker/dockerfile" | "docker/dockerfile-upstream")
}

/// Applies one instruction to the defaults of an image, and returns them. Fails if it needs files, or is wrong.
pub(crate) fn apply(text: &str, settings: &ImageSettings) -> Result<ImageSettings, Problem> {
    let span = Span::default();
    let instruction = single(text, span)?;
    let name = instruction.command.name();
    if matches!(name, "FROM" | "RUN" | "COPY" | "ADD" | "ARG" | "MAINTAINER") {
        return Err(Problem::new(span, format!("{name} does not change the configuration")));
    }
    let inputs = Inputs::default();
    let mut findings = Findings::default();
    let common = super::scope::Common::bare(&inputs.arguments);
    let folded = fold::apply(&instruction, settings, &common, &mut findings);
    findings.problems.into_iter().next().map_or(Ok(folded.settings), Err)
}

#[cfg(test)]
mod tests;
