//! What is found beside the result: what is wrong, and what checks say.

use std::collections::{BTreeSet, HashSet};

use super::rules::{Rule, Selection, Warning};
use super::source::{Problem, Span};
use crate::types::nearest;

/// What is found beside the result.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    /// What is wrong.
    pub(crate) problems: Vec<Problem>,
    /// What checks say.
    pub(crate) warnings: Vec<Warning>,
    /// Which checks are made.
    pub(crate) selection: Selection,
    seen: HashSet<(usize, String)>,
}

impl Findings {
    /// Nothing yet.
    pub(crate) fn new(selection: Selection) -> Self {
        Self { selection, ..Self::default() }
    }

    /// Notes what a check says, unless it is left out, or has said so at this place.
    pub(crate) fn warn(&mut self, rule: Rule, span: Span, message: impl Into<String>) {
        let message = message.into();
        if self.selection.has(&rule) && self.seen.insert((span.start, message.clone())) {
            self.warnings.push(Warning { rule, message, span });
        }
    }

    /// The value, or a note of the problem.
    pub(crate) fn take<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// Warns of variables that have no value, with the name that was probably meant. If not all names are `known`, only
    /// of those that have one.
    pub(crate) fn unset(
        &mut self,
        rule: Rule,
        span: Span,
        names: &BTreeSet<String>,
        others: &[&str],
        known: bool,
        say: impl Fn(&str) -> (String, &'static str),
    ) {
        for name in names {
            let near = nearest(name, others.iter().copied());
            if known || near.is_some() {
                let (message, sign) = say(name);
                let hint = near.map(|near| format!(" (did you mean {sign}{near}?)")).unwrap_or_default();
                self.warn(rule, span, message + &hint);
            }
        }
    }
}
