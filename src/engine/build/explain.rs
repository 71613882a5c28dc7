//! `build --explain`: which steps are in the cache, and why the others are not. Nothing is run, copied or pulled.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::event::{Failed, StepTitle};
use super::imports::Imports;
use super::inputs;
use super::make::{Maker, at, finish};
use super::request::BuildRequest;
use super::stage::{Stage, StepAt};
use crate::build::dockerfile::evaluate::Plan;
use crate::build::dockerfile::stages::{Base, Origin};
use crate::build::dockerfile::steps::Action;
use crate::build::reason::{Reason, Table};
use crate::engine::context::{Caller, Context};
use crate::engine::observer::Observer;
use crate::types::json;

/// A step, and what would become of it.
#[derive(Debug)]
pub(crate) struct ExplainedStep {
    /// The step.
    pub(crate) title: StepTitle,
    /// Why it would be taken; `None` if it is in the cache.
    pub(crate) reason: Option<Reason>,
    /// The cache of others that has it, if the own one does not.
    pub(crate) from: Option<String>,
    /// How long it took when it was taken last, in milliseconds.
    pub(crate) took: Option<u64>,
}

/// Says of each step that the target needs whether it is in the cache. The images that it needs must be here.
pub(crate) fn explain(
    context: &Context,
    mut caller: Caller,
    request: &BuildRequest,
    observer: &mut dyn Observer,
) -> Result<Vec<ExplainedStep>, Failed> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    let mut scene = Scene::new(context, &environment, &caller, request)?;
    scene.imports = Imports::read(context, &environment.store, &caller, request, observer)?;
    let mut maker = Maker::new(&scene, request);
    let plan = maker.plan(observer)?;
    let (grown, elsewhere) = (BTreeMap::new(), BTreeSet::new());
    let mut explainer = Explainer { scene: &scene, maker, grown, elsewhere, steps: Vec::new() };
    for index in &plan.graph.order {
        explainer.stage(&plan, *index)?;
    }
    Ok(explainer.steps)
}

struct Explainer<'a> {
    scene: &'a Scene<'a>,
    /// It has the stages all of whose steps are in the cache.
    maker: Maker<'a>,
    /// All stages, as far as their steps are in the cache.
    grown: BTreeMap<usize, Stage>,
    /// Those of them with layers that are only in the cache of others.
    elsewhere: BTreeSet<usize>,
    steps: Vec<ExplainedStep>,
}

impl Explainer<'_> {
    fn stage(&mut self, plan: &Plan, index: usize) -> Result<(), Failed> {
        let mut stage = self.maker.begin(plan, index, &self.grown)?;
        let mut is_known = match &plan.graph.nodes[index].base {
            Base::Stage(other) => self.maker.stages.contains_key(other) || self.elsewhere.contains(other),
            _ => true,
        };
        let mut is_here =
            !matches!(&plan.graph.nodes[index].base, Base::Stage(other) if self.elsewhere.contains(other));
        let parts: Vec<_> = self.maker.parts(plan, index).collect();
        for part in parts {
            let Some((step, title, slot)) = part.step else {
                stage.note(part.created_by);
                continue;
            };
            let at = StepAt { span: step.span, title: &title, created_by: part.created_by, slot };
            let Looked { reason, from, took } = self.step(&mut stage, &step.action, &at, is_known)?;
            is_known &= reason.is_none();
            is_here &= from.is_none();
            self.steps.push(ExplainedStep { title, reason, from, took });
        }
        finish(&mut stage, plan, index);
        if is_known && is_here {
            self.maker.stages.insert(index, stage.clone());
        } else if is_known {
            self.elsewhere.insert(index);
        }
        self.grown.insert(index, stage);
        Ok(())
    }

    /// What would become of a step.
    fn step(&self, stage: &mut Stage, action: &Action, step_at: &StepAt<'_>, is_known: bool) -> Result<Looked, Failed> {
        let store = &self.scene.environment.store;
        let located = at(step_at.span);
        let text = &step_at.title.text;
        let last = store.slot(&step_at.slot);
        let took = last.as_ref().map(|(head, _)| head.took);
        let missing = stages_of(action).into_iter().find(|index| !self.maker.stages.contains_key(index));
        let table = match missing {
            None => {
                let prepared = self.maker.prepare(action).map_err(|failed| failed.at(step_at.span))?;
                if is_known {
                    let wanted = stage.wanted(self.scene, &prepared).map_err(&located)?;
                    if let Some(record) = stage.known(self.scene, &wanted.key).map_err(&located)? {
                        stage.take_known(&wanted.key, &record, step_at);
                        return Ok(Looked { reason: None, from: None, took: Some(record.took) });
                    }
                    let imported =
                        self.scene.imports.of(&wanted.key).find(|(_, step)| !self.scene.is_old(&step.record));
                    if let Some((source, step)) = imported.filter(|_| !stage.no_cache) {
                        stage.take_known(&wanted.key, &step.record, step_at);
                        let from = Some(source.name.clone());
                        return Ok(Looked { reason: None, from, took: Some(step.record.took) });
                    }
                }
                stage.table(self.scene, &prepared, step_at).map_err(&located)?
            }
            Some(index) if self.elsewhere.contains(&index) => {
                stage.changed = Some((step_at.title.stage.clone(), step_at.title.number));
                return Ok(Looked { reason: Some(Reason::Unfetched), from: None, took });
            }
            // Its files are not there yet: only what is typed can be compared.
            Some(index) => {
                stage.changed = self.grown.get(&index).and_then(|other| other.changed.clone());
                let old: Option<Table> = last.and_then(|(_, inputs)| json::from_slice(&inputs).ok());
                Table { instruction: text.clone(), ..old.unwrap_or_else(|| inputs::bare(self.scene, stage, text)) }
            }
        };
        let mut reason = stage.reason(self.scene, step_at, &table);
        if reason == Reason::Evicted && (!is_known || missing.is_some()) {
            // What is below, or what it copies, is not made yet, and may become the same.
            let (of, number) = stage.changed.clone().unwrap_or_default();
            reason = Reason::After(match of == step_at.title.stage {
                true => format!("step {number}"),
                false => format!("step {number} of {of}"),
            });
        }
        stage.changed = Some((step_at.title.stage.clone(), step_at.title.number));
        Ok(Looked { reason: Some(reason), from: None, took })
    }
}

/// What would become of a step.
struct Looked {
    /// Why it would be taken.
    reason: Option<Reason>,
    /// The cache of others that has it.
    from: Option<String>,
    /// How long it took last.
    took: Option<u64>,
}

/// The stages whose files a step takes.
fn stages_of(action: &Action) -> BTreeSet<usize> {
    let origins: Vec<&Option<Origin>> = match action {
        Action::Run(run) => run.mounts.iter().map(|mount| &mount.origin).collect(),
        Action::Copy(copy) => vec![&copy.origin],
        Action::Workdir { .. } => Vec::new(),
    };
    let stages = origins.into_iter().flatten().filter_map(|origin| match origin {
        Origin::Stage(index) => Some(*index),
        Origin::Image(_) => None,
    });
    stages.collect()
}
