//! From a Dockerfile to an image: resolves the bases, takes the steps of the stages that the target needs, each stage
//! after those that it needs, and stores the image.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Scene;
use super::event::{BuildEvent, Failed, StepTitle};
use super::foreign;
use super::image;
use super::imports::Imports;
use super::request::{BuildRequest, Debugger};
use super::result;
use super::shared;
use super::sources::Sources;
use super::stage::{Stage, StepAt};
use crate::build::dockerfile::evaluate::{Extent, Plan, evaluate};
use crate::build::dockerfile::rules::Warning;
use crate::build::dockerfile::scope::Platform;
use crate::build::dockerfile::source::Span;
use crate::build::dockerfile::stages::{Base, BaseImage, Origin};
use crate::build::dockerfile::steps::Step as PlannedStep;
use crate::engine::cache;
use crate::engine::context::{Caller, Context};
use crate::engine::observer::Observer;
use crate::image::Config;
use crate::image::built::{self, Built};
use crate::storage::Hasher;
use crate::types::{Digest, Report, ReportKind};

/// What was built.
#[derive(Debug)]
pub(crate) struct Made {
    /// Its ID, and the digest of its manifest, if it is stored.
    pub(crate) image: Option<(Digest, Digest)>,
    /// What checks say of the Dockerfile.
    pub(crate) warnings: Vec<Warning>,
    /// Arguments of the caller's that nothing asks for.
    pub(crate) unused: Vec<String>,
}

/// Builds an image. If it fails, or this process is killed, no image is made, nothing runs on, and the next build takes
/// the steps that are done from the cache; [`crate::engine::sweep`] removes the rest.
pub(crate) fn make(
    context: &Context,
    mut caller: Caller,
    request: &BuildRequest,
    debugger: Option<&Debugger<'_>>,
    observer: &mut dyn Observer,
    tell: &mut dyn FnMut(usize, BuildEvent<'_>),
) -> Result<Made, Failed> {
    let environment = context.environment(std::mem::take(&mut caller.manager))?;
    // Nothing that the build takes or makes is collected meanwhile.
    let ingest = environment.store.begin_ingest().map_err(Report::from)?;
    let mut scene = Scene::new(context, &environment, &caller, request)?;
    scene.debugger = debugger;
    scene.imports = Imports::read(context, &environment.store, &caller, request, observer)?;
    let mut maker = Maker::new(&scene, request);
    let plan = maker.plan(observer)?;
    let of_image = |name: &str, platform: Option<&str>| {
        maker.sources.image(name, platform).map(|image| image.config.architecture.clone())
    };
    let checked = foreign::check(&plan, &of_image, &request.inputs.platform.architecture);
    checked.map_err(|(span, report)| at(span)(report))?;
    let grown = maker.grow(&plan, tell);
    scene.settle();
    grown?;
    let is_new = maker.stages.values().any(|stage| stage.changed.is_some());
    let all: Vec<_> = maker.stages.values().flat_map(|stage| stage.steps.clone()).collect();
    let of_result = maker.stages.get(&plan.graph.target).map(|stage| stage.steps.clone()).unwrap_or_default();
    let image = maker.deliver(&plan)?;
    shared::export(&scene, request, &of_result, &all, observer)?;
    ingest.finish().map_err(Report::from)?;
    // Nothing has grown if everything was in the cache.
    if is_new {
        cache::trim_soon(context);
    }
    Ok(Made { image, warnings: plan.warnings, unused: plan.unused })
}

/// A build.
pub(super) struct Maker<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) request: &'a BuildRequest,
    pub(super) sources: Sources<'a>,
    /// The stages that are made.
    pub(super) stages: BTreeMap<usize, Stage>,
}

impl<'a> Maker<'a> {
    /// A build of which nothing is done.
    pub(super) fn new(scene: &'a Scene<'a>, request: &'a BuildRequest) -> Self {
        Self { scene, request, sources: Sources::new(scene, request), stages: BTreeMap::new() }
    }

    /// Evaluates the file, with the defaults of the bases that the target needs: only these are looked up or pulled.
    pub(super) fn plan(&mut self, observer: &mut dyn Observer) -> Result<Plan, Failed> {
        let plan = loop {
            let known = |name: &str, platform: Option<&str>| {
                let found = self.sources.image(name, platform)?.config.clone();
                let Config { config, os, architecture, variant, .. } = found;
                let platform = Platform { os, architecture, variant: variant.unwrap_or_default() };
                Some(BaseImage { settings: image::inherited(&self.request.changes, config), platform })
            };
            let BuildRequest { file, inputs, ignore, .. } = self.request;
            let plan = evaluate(file, inputs, &known, ignore.as_ref(), Extent::Needed).map_err(Failed::Problems)?;
            let missing = plan.graph.order.iter().find_map(|index| match &plan.graph.nodes[*index] {
                node if matches!(&node.base, Base::Image { settings: None, .. }) => Some(node.clone()),
                _ => None,
            });
            let Some(node) = missing else { break plan };
            let Base::Image { name, .. } = &node.base else { break plan };
            self.sources.find_image(name, node.platform.as_deref(), observer).map_err(at(node.span))?;
        };
        for index in &plan.graph.order {
            let node = &plan.graph.nodes[*index];
            for (instruction, origins) in node.instructions.iter().zip(&node.origins) {
                for origin in origins.iter().flatten() {
                    if let Origin::Image(name) = origin {
                        self.sources.find(name, observer).map_err(at(instruction.span))?;
                    }
                }
            }
        }
        Ok(plan)
    }

    /// Takes the steps of a stage.
    pub(super) fn stage(
        &self,
        plan: &Plan,
        index: usize,
        tell: &mut dyn FnMut(BuildEvent<'_>),
    ) -> Result<Stage, Failed> {
        let mut stage = self.begin(plan, index, &self.stages)?;
        for part in self.parts(plan, index) {
            let Some((step, title, slot)) = part.step else {
                stage.note(part.created_by);
                continue;
            };
            tell(BuildEvent::Begun(&title));
            self.scene.check()?;
            let mut prepared = self.prepare(&step.action).map_err(|failed| failed.at(step.span))?;
            let at = StepAt { span: step.span, title: &title, created_by: part.created_by, slot };
            stage.take(self.scene, &mut prepared, &at, tell).map_err(|failed| failed.at(step.span))?;
        }
        finish(&mut stage, plan, index);
        Ok(stage)
    }

    /// A stage before its first step, on what is made of the others.
    pub(super) fn begin(&self, plan: &Plan, index: usize, others: &BTreeMap<usize, Stage>) -> Result<Stage, Failed> {
        let mut stage = match &plan.graph.nodes[index].base {
            Base::Scratch => {
                let platform = &self.request.inputs.platform;
                let variant = Some(platform.variant.clone()).filter(|variant| !variant.is_empty());
                Stage::scratch(platform.architecture.clone(), variant)
            }
            Base::Stage(other) => Stage { is_fresh: false, ..others[other].clone() },
            Base::Image { name, .. } => {
                let missing = || Report::new(ReportKind::Internal, format!("the image `{name}` was not looked up"));
                let platform = plan.graph.nodes[index].platform.as_deref();
                Stage::of(self.sources.image(name, platform).ok_or_else(missing)?)
            }
        };
        let is_anew = |asked: &String| {
            *asked == index.to_string()
                || self.request.file.stages[index].name.as_deref() == Some(&asked.to_lowercase())
        };
        stage.no_cache = self.request.no_cache || self.request.no_cache_stages.iter().any(is_anew);
        stage.time = self.time()?;
        Ok(stage)
    }

    /// The history of a stage, with the steps in it.
    pub(super) fn parts<'p>(&self, plan: &'p Plan, index: usize) -> impl Iterator<Item = StagePart<'p>> {
        let folded = &plan.stages[&index];
        let stage = self.request.file.stages[index].name.clone().unwrap_or_else(|| format!("stage-{index}"));
        let place = self.request.place.clone();
        folded.history.iter().map(move |entry| {
            let step = entry.step.map(|number| {
                let (step, of) = (&folded.steps[number], folded.steps.len());
                let title = StepTitle { stage: stage.clone(), number: number + 1, of, text: step.text.clone() };
                let slot = Hasher::sha256(format!("{place}\0{stage}\0{number}").as_bytes());
                (step, title, slot)
            });
            StagePart { created_by: &entry.created_by, step }
        })
    }

    /// The time of everything that is built, RFC 3339, if not its own.
    fn time(&self) -> Result<Option<String>, Report> {
        let Some(seconds) = self.request.epoch else { return Ok(None) };
        let time = Timestamp::from_second(seconds)
            .map_err(|_| Report::new(ReportKind::Invalid, format!("{seconds} is no time in seconds since 1970")))?;
        Ok(Some(time.to_string()))
    }

    /// Writes the files of the target, and stores its image, as far as that was asked for.
    fn deliver(&mut self, plan: &Plan) -> Result<Option<(Digest, Digest)>, Failed> {
        let stage = self.stages.remove(&plan.graph.target);
        let Some(mut stage) = stage else {
            return Err(Report::new(ReportKind::Internal, "the target was not built").into());
        };
        let inner = self.request.number.map(|_| self.request.inputs.platform.text().replace('/', "_"));
        for export in &self.request.exports {
            result::export(self.scene, &stage, export, inner.as_deref())?;
        }
        if !self.request.is_stored {
            return Ok(None);
        }
        if let Some(which) = self.request.squash {
            result::squash(self.scene, &mut stage, which)?;
        }
        image::change(&self.request.changes, &mut stage.config);
        image::note_steps(&mut stage, self.time()?.as_deref(), self.request.has_inline_cache())?;
        if let Some(time) = self.time()? {
            stage.config.created = Some(time);
        }
        if stage.config.created.is_none() {
            stage.config.created = Some(Timestamp::now().to_string());
        }
        let store = &self.scene.environment.store;
        // The image cannot be fetched again, so what it is made of is on disk before it has a name.
        store.sync_layers().map_err(Report::from)?;
        let built = Built {
            annotations: image::annotations(self.request, &stage),
            config: stage.config,
            layers: stage.layers,
            names: self.request.names.clone(),
            format: self.request.format.unwrap_or_default(),
        };
        Ok(Some(built::store(store, &built).map_err(Report::from)?))
    }
}

/// An entry of a stage's history.
pub(super) struct StagePart<'p> {
    /// What the history says.
    pub(super) created_by: &'p str,
    /// The step, what a user sees of it, and its slot in the cache; `None` if only the configuration changes.
    pub(super) step: Option<(&'p PlannedStep, StepTitle, Digest)>,
}

/// Applies what a stage says of its image.
pub(super) fn finish(stage: &mut Stage, plan: &Plan, index: usize) {
    let folded = &plan.stages[&index];
    stage.config.config = folded.settings.clone();
    if folded.author.is_some() {
        stage.config.author.clone_from(&folded.author);
    }
}

/// Adds the place of an instruction.
pub(super) fn at(span: Span) -> impl Fn(Report) -> Failed {
    move |report| Failed::Step { span, report }
}
