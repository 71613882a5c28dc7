//! What a Dockerfile offers to its caller: targets, arguments, secrets, agents, caches.

use std::collections::BTreeMap;

use super::evaluate::Plan;
use super::file::{Dockerfile, Stage};
use super::instruction::{Command, Instruction};
use super::mount::MountKind;
use super::source::Span;
use super::steps::Action;

/// A stage that can be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name, or its number.
    pub(crate) name: String,
    /// It is built if no other is named.
    pub(crate) is_default: bool,
    /// What the comment before it says.
    pub(crate) description: Option<String>,
    /// What it begins with, as typed.
    pub(crate) base: String,
    /// `--platform`, as typed.
    pub(crate) platform: Option<String>,
    /// Its FROM.
    pub(crate) span: Span,
}

/// What a build of the target takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The target's name, if it has one.
    pub(crate) name: Option<String>,
    /// What the comment before it says.
    pub(crate) description: Option<String>,
    /// Arguments.
    pub(crate) arguments: Vec<Argument>,
    /// Secrets.
    pub(crate) secrets: Vec<Wanted>,
    /// SSH agents.
    pub(crate) agents: Vec<Wanted>,
    /// Caches.
    pub(crate) caches: Vec<Wanted>,
}

/// An argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argument {
    /// Its name.
    pub(crate) name: String,
    /// What the comment before it says.
    pub(crate) description: Option<String>,
    /// The value that it has.
    pub(crate) value: Option<String>,
    /// The ARG.
    pub(crate) span: Span,
}

/// A secret, an agent or a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: String,
    /// The build fails without it.
    pub(crate) is_required: bool,
    /// The RUN.
    pub(crate) span: Span,
}

/// The targets of a file, in its order.
pub(crate) fn targets(file: &Dockerfile) -> Vec<Target> {
    let last = file.stages.len() - 1;
    let target = |(index, stage): (usize, &Stage)| Target {
        name: stage.name.clone().unwrap_or_else(|| index.to_string()),
        is_default: index == last,
        description: stage.name.as_deref().and_then(|name| description(&stage.instruction, name)),
        base: stage.from.image.text.clone(),
        platform: stage.from.platform.as_ref().map(|word| word.text.clone()),
        span: stage.instruction.span,
    };
    file.stages.iter().enumerate().map(target).collect()
}

/// What a build of the plan's target takes.
pub(crate) fn outline(file: &Dockerfile, plan: &Plan) -> Outline {
    let stage = &file.stages[plan.graph.target];
    let name = stage.name.clone();
    let description_of = name.as_deref().and_then(|name| description(&stage.instruction, name));
    let mut outline = Outline { name, description: description_of, ..Outline::default() };
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut add = |outline: &mut Outline, instruction: &Instruction, value: &dyn Fn(&str) -> Option<String>| {
        let Command::Arg(arguments) = &instruction.command else { return };
        for argument in arguments {
            let name = argument.name.text.clone();
            let (value, description) = (value(&name), description(instruction, &name));
            match places.get(&name) {
                Some(place) => {
                    let known = &mut outline.arguments[*place];
                    known.value = value.or_else(|| known.value.take());
                    known.description = known.description.take().or(description);
                }
                None => {
                    places.insert(name.clone(), outline.arguments.len());
                    outline.arguments.push(Argument { name, description, value, span: instruction.span });
                }
            }
        }
    };
    for instruction in &file.globals {
        add(&mut outline, instruction, &|name| plan.globals.get(name).cloned());
    }
    for index in &plan.graph.order {
        let folded = &plan.stages[index];
        for instruction in &plan.graph.nodes[*index].instructions {
            add(&mut outline, instruction, &|name| folded.scope.arguments.get(name).map(str::to_owned));
        }
        for step in &folded.steps {
            let Action::Run(run) = &step.action else { continue };
            for one in &run.mounts {
                wanted(&mut outline, &one.mount.kind, one.mount.target.as_deref(), step.span);
            }
        }
    }
    outline
}

fn wanted(outline: &mut Outline, kind: &MountKind, target: Option<&str>, span: Span) {
    let last = || target.and_then(|target| target.rsplit('/').next()).map(str::to_owned);
    let (list, name, is_required) = match kind {
        MountKind::Secret { id, env, is_required, .. } => {
            (&mut outline.secrets, id.clone().or_else(last).or_else(|| env.clone()), *is_required)
        }
        MountKind::Ssh { id, is_required, .. } => {
            (&mut outline.agents, Some(id.clone().unwrap_or_else(|| "default".to_owned())), *is_required)
        }
        MountKind::Cache { id, .. } => (&mut outline.caches, id.clone().or_else(|| target.map(str::to_owned)), false),
        MountKind::Bind { .. } | MountKind::Tmpfs { .. } => return,
    };
    let Some(name) = name else { return };
    match list.iter_mut().find(|known| known.name == name) {
        Some(known) => known.is_required |= is_required,
        None => list.push(Wanted { name, is_required, span }),
    }
}

/// The comment before a definition, if it begins with the name.
fn description(instruction: &Instruction, name: &str) -> Option<String> {
    let line = instruction.comments.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}
