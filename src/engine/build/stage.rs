//! A stage as it grows: its layers, the configuration of its image, and the step that adds the next layer, from the
//! cache or anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Scene;
use super::event::{BuildEvent, Failed, Outcome, StepTitle};
use super::files::{self, Copy};
use super::kept;
use super::mounts;
use super::run::{self, Command};
use super::shared;
use super::waiting;
use crate::build::dockerfile::source::Span;
use crate::engine::sweep::write_soon;
use crate::image::local::LocalImage;
use crate::image::{Config, History};
use crate::plan::ImageSource;
use crate::storage::{Compression, Descriptor, StepRecord};
use crate::types::{Digest, Report};

/// What a stage has so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stage {
    /// The configuration of its image, with diff IDs and history.
    pub(super) config: Config,
    /// The blobs of its layers, lowest first.
    pub(super) layers: Vec<Descriptor>,
    /// Every step is taken anew.
    #[serde(skip)]
    pub(super) no_cache: bool,
    /// The time of everything in its history that is new, if not its own.
    #[serde(skip)]
    pub(super) time: Option<String>,
    /// The last step that was not in the cache: its stage and number.
    pub(super) changed: Option<(String, usize)>,
    /// No step was taken.
    pub(super) is_fresh: bool,
    /// The steps so far, those of the stage that it begins with among them: keys, and what they have made.
    pub(super) steps: Vec<(Digest, StepRecord)>,
    /// The image that it began with, for records.
    pub(super) source: ImageSource,
    /// The annotations of that image.
    pub(super) annotations: BTreeMap<String, String>,
    /// How many layers, and entries of the history, are those of that image.
    pub(super) inherited: (usize, usize),
}

/// A step that makes a layer, with everything expanded.
pub(super) enum Step<'a> {
    /// RUN.
    Run(Box<Command<'a>>),
    /// COPY, and ADD of files.
    Copy(Copy<'a>),
    /// WORKDIR.
    Directory {
        /// An absolute path.
        path: String,
        /// To whom it belongs if it is new, as `USER` has it.
        user: String,
    },
}

/// Where a step is, and what is said of it.
pub(super) struct StepAt<'a> {
    /// The instruction.
    pub(super) span: Span,
    /// What a user sees.
    pub(super) title: &'a StepTitle,
    /// What the history says of it.
    pub(super) created_by: &'a str,
    /// Its slot in the cache.
    pub(super) slot: Digest,
}

impl Stage {
    /// A stage without files.
    pub(super) fn scratch(architecture: String, variant: Option<String>) -> Self {
        let mut config = Config { os: "linux".to_owned(), architecture, variant, ..Config::default() };
        "layers".clone_into(&mut config.rootfs.kind);
        let source = ImageSource { reference: "scratch".to_owned(), ..ImageSource::default() };
        Self::new(config, Vec::new(), source)
    }

    /// A stage that begins with an image, whose layers are unpacked.
    pub(super) fn of(image: &LocalImage) -> Self {
        let reference = image.reference.as_ref().map_or_else(|| image.id.to_string(), ToString::to_string);
        let source = image.defaults(&reference).source;
        let layers = image.layers.iter().map(|layer| layer.blob.clone()).collect();
        let mut config = image.config.clone();
        // What says how the base was made says nothing about this image.
        config.docker_version = None;
        Self { annotations: image.annotations.clone(), ..Self::new(config, layers, source) }
    }

    fn new(config: Config, layers: Vec<Descriptor>, source: ImageSource) -> Self {
        let inherited = (layers.len(), config.history.len());
        Self {
            config,
            layers,
            no_cache: false,
            time: None,
            changed: None,
            is_fresh: true,
            steps: Vec::new(),
            source,
            annotations: BTreeMap::new(),
            inherited,
        }
    }

    /// The directories of its layers, lowest first.
    pub(super) fn lowers(&self, scene: &Scene<'_>) -> Vec<PathBuf> {
        let path = |diff_id| scene.environment.store.layer_path(&scene.target.map, diff_id).join("fs");
        self.config.rootfs.diff_ids.iter().map(path).collect()
    }

    /// Records an instruction that changes no file. Its time is that of the last step, so that a build without changes
    /// gives the same image.
    pub(super) fn note(&mut self, instruction: &str) {
        let created = self.config.created.clone().unwrap_or_else(now);
        self.history(instruction, &created, true);
    }

    /// Takes a step: finds its layer in the cache, or makes it.
    pub(super) fn take(
        &mut self,
        scene: &Scene<'_>,
        step: &mut Step<'_>,
        at: &StepAt<'_>,
        tell: &mut dyn FnMut(BuildEvent<'_>),
    ) -> Result<(), Failed> {
        let wanted = self.wanted(scene, step)?;
        let (key, store) = (&wanted.key, &scene.environment.store);
        let mut found = self.known(scene, key)?;
        // Another stage, or another build, may be taking the same step.
        let mut waits = |lock: &Path| {
            let holder = waiting::holder(lock, scene.process);
            tell(BuildEvent::Noted(&format!("waits for {holder}, which takes the same step")));
        };
        let _claim =
            if found.is_none() { Some(store.claim_step(key, &mut waits).map_err(Report::from)?) } else { None };
        if found.is_none() {
            found = self.known(scene, key)?;
        }
        if found.is_none() && !self.no_cache {
            match shared::take(scene, key) {
                Ok(None) => {}
                Ok(Some((record, place))) => {
                    tell(BuildEvent::Noted(&format!("cache from {place}")));
                    found = Some(record);
                }
                Err(report) => tell(BuildEvent::Noted(&report.message)),
            }
        }
        if let Some(record) = found {
            tell(BuildEvent::Ended(Outcome::Cached));
            self.remember_hit(scene, step, at, key, record.took)?;
            self.add(key, &record, at.created_by);
            return Ok(());
        }
        let table = self.table(scene, step, at)?;
        tell(BuildEvent::Missed(&self.reason(scene, at, &table)));
        let lowers = self.lowers(scene);
        let began = Instant::now();
        let directory = scene.new_directory("step")?;
        let mut form = scene.form;
        let mut is_kept = true;
        match step {
            Step::Run(command) => {
                let stage_lowers = lowers.clone();
                let lowers = scene.at_least_one(&lowers);
                let code = run::run(scene, &self.source, command, lowers.clone(), &directory, tell)?;
                if code != 0 {
                    if let Some(debugger) = scene.debugger {
                        tell(BuildEvent::Noted(&format!("exit code {code}: a shell in this step, until it exits")));
                        run::shell(scene, &self.source, command, lowers, &directory, debugger)?;
                    }
                    let keep = || self.keep_failed(scene, command, &stage_lowers, &directory);
                    let kept = scene.keeps_failed.then(keep).transpose()?;
                    return Err(Failed::Command { span: at.span, step: at.title.clone(), code, kept });
                }
                is_kept = mounts::are_unchanged(scene, &command.mounts)?;
            }
            Step::Copy(copy) => {
                let Some(listed) = &wanted.listed else { return Ok(()) };
                for later in copy.parts.iter().filter_map(|part| part.later.as_ref()) {
                    (later.make)()?;
                }
                form = files::copy(scene, copy, listed, &lowers, &directory)?;
                if listed.count >= files::MANY {
                    write_soon(store);
                }
            }
            Step::Directory { path, user } => files::make_directory(scene, path, user, &lowers, &directory)?,
        }
        let layer = files::keep(scene, &lowers, &directory, form)?;
        if let (Step::Copy(Copy { slot: Some(slot), .. }), Some(layer)) = (&*step, &layer) {
            // Without it the next copy takes longer.
            store.note_copied(slot, &layer.digest).unwrap_or_default();
        }
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (shown, labels) = (at.title.text.clone(), scene.layer_labels.clone());
        let record = StepRecord { created: now(), layer, shown, took, labels };
        if is_kept {
            store.record_step(key, &record).map_err(Report::from)?;
            self.remember(scene, &at.slot, key, took, &table);
        } else {
            tell(BuildEvent::Noted(
                "files were changed while the step used them, so the cache does not keep its result",
            ));
        }
        tell(BuildEvent::Ended(Outcome::Done { took }));
        self.changed = Some((at.title.stage.clone(), at.title.number));
        self.add(key, &record, at.created_by);
        Ok(())
    }

    /// Makes an image of what a command that has failed has left in `directory`.
    fn keep_failed(
        &self,
        scene: &Scene<'_>,
        command: &Command<'_>,
        lowers: &[PathBuf],
        directory: &Path,
    ) -> Result<Digest, Report> {
        // Its monitor has taken everything down.
        scene.settle();
        let layer = files::keep(scene, lowers, directory, scene.form)?;
        let mut failed = self.clone();
        failed.push(layer.as_ref());
        kept::store(scene, failed.config, failed.layers, command, layer.is_some())
    }

    /// Takes a step that is in the cache.
    pub(super) fn take_known(&mut self, key: &Digest, record: &StepRecord, at: &StepAt<'_>) {
        self.add(key, record, at.created_by);
    }

    /// The image that the stage begins with, and its digest, as long as no step was taken.
    pub(super) fn base(&self) -> Option<(String, String)> {
        let manifest = self.source.manifest.as_ref().filter(|_| self.is_fresh && !self.source.layers.is_empty())?;
        Some((self.source.reference.clone(), manifest.to_string()))
    }

    fn add(&mut self, key: &Digest, record: &StepRecord, shown: &str) {
        self.is_fresh = false;
        self.steps.push((key.clone(), record.clone()));
        self.push(record.layer.as_ref());
        self.history(shown, &record.created, record.layer.is_none());
    }

    /// Adds a layer on top.
    pub(super) fn push(&mut self, layer: Option<&Descriptor>) {
        if let Some(layer) = layer {
            let mut blob = layer.clone();
            Compression::of(&[]).layer_type().clone_into(&mut blob.media_type);
            self.config.rootfs.diff_ids.push(layer.digest.clone());
            self.layers.push(blob);
        }
    }

    fn history(&mut self, instruction: &str, created: &str, empty_layer: bool) {
        let created = self.time.as_deref().unwrap_or(created);
        self.config.created = Some(created.to_owned());
        self.config.history.push(History {
            created: Some(created.to_owned()),
            created_by: Some(instruction.to_owned()),
            empty_layer,
            ..History::default()
        });
    }
}

fn now() -> String {
    Timestamp::now().to_string()
}
