//! `build --explain`: which steps are in the cache, and why the others are not. Nothing is run, copied or pulled.

use std::collections::{BTreeMap, BTreeSet};

use super::Scene;
use super::event::{Failed, StepTitle};
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
    let scene = Scene::new(context, &environment, &caller, request)?;
    let mut maker = Maker::new(&scene, request);
    let plan = maker.plan(observer)?;
    let mut explainer = Explainer { scene: &scene, maker, grown: BTreeMap::new(), steps: Vec::new() };
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
    steps: Vec<ExplainedStep>,
}

impl Explainer<'_> {
    fn stage(&mut self, plan: &Plan, index: usize) -> Result<(), Failed> {
        let mut stage = self.maker.begin(plan, index, &self.grown)?;
        let mut is_known = match &plan.graph.nodes[index].base {
            Base::Stage(other) => self.maker.stages.contains_key(other),
            _ => true,
        };
        let parts: Vec<_> = self.maker.parts(plan, index).collect();
        for part in parts {
            let Some((step, title, slot)) = part.step else {
                stage.note(part.created_by);
                continue;
            };
            let at = StepAt { span: step.span, title: &title, created_by: part.created_by, slot };
            let (reason, took) = self.step(&mut stage, &step.action, &at, is_known)?;
            is_known &= reason.is_none();
            self.steps.push(ExplainedStep { title, reason, took });
        }
        finish(&mut stage, plan, index);
        if is_known {
            self.maker.stages.insert(index, stage.clone());
        }
        self.grown.insert(index, stage);
        Ok(())
    }

    /// Why a step would be taken, and how long it took last.
    fn step(
        &self,
        stage: &mut Stage,
        action: &Action,
        step_at: &StepAt<'_>,
        is_known: bool,
    ) -> Result<(Option<Reason>, Option<u64>), Failed> {
        let store = &self.scene.environment.store;
        let located = at(step_at.span);
        let text = &step_at.title.text;
        let last = store.slot(&step_at.slot);
        let took = last.as_ref().map(|(head, _)| head.took);
        let missing = stages_of(action).into_iter().find(|index| !self.maker.stages.contains_key(index));
        let table = match missing {
            None => {
                let prepared = self.maker.prepare(action).map_err(&located)?;
                if is_known {
                    let wanted = stage.wanted(self.scene, &prepared).map_err(&located)?;
                    if let Some(record) = stage.known(self.scene, &wanted.key).map_err(&located)? {
                        stage.take_known(&wanted.key, &record, step_at);
                        return Ok((None, Some(record.took)));
                    }
                }
                stage.table(self.scene, &prepared, step_at).map_err(&located)?
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
        Ok((Some(reason), took))
    }
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
