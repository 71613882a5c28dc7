//! A stage as it grows: its layers, the configuration of its image, and the step that adds the next layer, from the
//! cache or anew.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Scene;
use super::event::{BuildEvent, Failed, Outcome};
use super::files::{self, Copy};
use super::run::{self, Command};
use crate::build::dockerfile::source::Span;
use crate::build::key::{Place, key};
use crate::image::local::LocalImage;
use crate::image::{Config, History};
use crate::plan::ImageSource;
use crate::storage::{Compression, Descriptor, StepRecord};
use crate::types::{Digest, Report, ReportKind};

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
    /// The image that it began with, for records.
    source: ImageSource,
}

/// A step that makes a layer, with everything expanded.
pub(super) enum Step<'a> {
    /// RUN.
    Run(Box<Command>),
    /// COPY, and ADD of files.
    Copy(Copy<'a>),
    /// WORKDIR: an absolute path.
    Directory(String),
}

/// A part of a key: what a step depends on besides its place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Keyed<'a> {
    Run {
        argv: &'a [String],
        script: Option<&'a str>,
        env: &'a [String],
        user: &'a str,
        working_dir: &'a str,
        network: Option<String>,
        is_insecure: bool,
        hosts: &'a [String],
        mounts: &'a [String],
    },
    Copy {
        destination: &'a str,
        owner: Option<&'a str>,
        mode: &'a str,
        files: &'a Digest,
        /// Of each source, whether owners are its own.
        from_images: Vec<bool>,
        unpack: bool,
    },
    Directory {
        path: &'a str,
    },
}

impl Stage {
    /// A stage without files.
    pub(super) fn scratch(architecture: String, variant: Option<String>) -> Self {
        let mut config = Config { os: "linux".to_owned(), architecture, variant, ..Config::default() };
        "layers".clone_into(&mut config.rootfs.kind);
        let nothing = Digest::sha256([0; 32]);
        let source = ImageSource {
            id: nothing.clone(),
            manifest: nothing,
            reference: "scratch".to_owned(),
            layers: Vec::new(),
            exposed_ports: Vec::new(),
        };
        Self { config, layers: Vec::new(), no_cache: false, time: None, source }
    }

    /// A stage that begins with an image, whose layers are unpacked.
    pub(super) fn of(image: &LocalImage) -> Self {
        let reference = image.reference.as_ref().map_or_else(|| image.id.to_string(), ToString::to_string);
        let source = image.defaults(&reference).source;
        let layers = image.layers.iter().map(|layer| layer.blob.clone()).collect();
        let mut config = image.config.clone();
        // What says how the base was made says nothing about this image.
        config.docker_version = None;
        Self { config, layers, no_cache: false, time: None, source }
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

    /// Takes a step: finds its layer in the cache, or makes it. `shown` is the instruction at `span`, and `created_by`
    /// what the history says of it.
    pub(super) fn take(
        &mut self,
        scene: &Scene<'_>,
        step: &mut Step<'_>,
        span: Span,
        shown: &str,
        created_by: &str,
        tell: &mut dyn FnMut(BuildEvent<'_>),
    ) -> Result<(), Failed> {
        let listed = match step {
            Step::Copy(copy) => Some(files::list(scene, copy)?),
            _ => None,
        };
        let key = self.key(scene, step, listed.as_ref())?;
        let store = &scene.environment.store;
        let known = || match store.step(&key).filter(|_| !self.no_cache) {
            Some(record) => Ok::<_, Report>(has(scene, &record)?.then_some(record)),
            None => Ok(None),
        };
        let mut found = known()?;
        // Another stage, or another build, may be taking the same step.
        let _claim = if found.is_none() { Some(store.claim_step(&key).map_err(Report::from)?) } else { None };
        if found.is_none() {
            found = known()?;
        }
        if let Some(record) = found {
            tell(BuildEvent::Ended(Outcome::Cached));
            self.add(&record, created_by);
            return Ok(());
        }
        let lowers = self.lowers(scene);
        let began = Instant::now();
        let directory = scene.new_directory("step")?;
        match step {
            Step::Run(command) => {
                let lowers = scene.at_least_one(&lowers);
                let mut output = |stream, bytes: &[u8]| tell(BuildEvent::Output { stream, bytes });
                let code = run::run(scene, &self.source, command, lowers, &directory, &mut output)?;
                if code != 0 {
                    return Err(Failed::Command { span, shown: shown.to_owned(), code });
                }
            }
            Step::Copy(copy) => {
                let Some(listed) = &listed else { return Ok(()) };
                files::copy(scene, copy, listed, &lowers, &directory)?;
            }
            Step::Directory(path) => drop(files::make_directory(scene, path, &lowers, &directory)?),
        }
        let layer = files::keep(scene, &lowers, &directory)?;
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let record = StepRecord { created: now(), layer, shown: shown.to_owned(), took };
        store.record_step(&key, &record).map_err(Report::from)?;
        tell(BuildEvent::Ended(Outcome::Done { took }));
        self.add(&record, created_by);
        Ok(())
    }

    fn key(&self, scene: &Scene<'_>, step: &Step<'_>, listed: Option<&files::Listed>) -> Result<Digest, Report> {
        let keyed = match step {
            Step::Run(command) => Keyed::Run {
                argv: &command.argv,
                script: command.script.as_ref().map(|script| script.content.as_str()),
                env: &command.env,
                user: &command.user,
                working_dir: &command.working_dir,
                network: command.network.as_ref().map(ToString::to_string),
                is_insecure: command.is_insecure,
                hosts: &scene.add_hosts,
                mounts: &command.mount_keys,
            },
            Step::Copy(copy) => Keyed::Copy {
                destination: &copy.destination,
                owner: copy.owner.as_deref(),
                mode: &copy.mode_text,
                files: listed.map_or(&scene.nothing_listed, |listed| &listed.digest),
                from_images: copy.parts.iter().map(|part| matches!(part.side, files::Side::Layers(_))).collect(),
                unpack: copy.unpack,
            },
            Step::Directory(path) => Keyed::Directory { path },
        };
        let place = Place {
            map: &scene.target.map,
            architecture: &self.config.architecture,
            newest: scene.newest,
            layers: &self.config.rootfs.diff_ids,
        };
        key(place, &keyed)
            .map_err(|error| Report::new(ReportKind::Internal, format!("cannot write a key of the cache: {error}")))
    }

    fn add(&mut self, record: &StepRecord, shown: &str) {
        if let Some(layer) = &record.layer {
            let mut blob = layer.clone();
            Compression::of(&[]).layer_type().clone_into(&mut blob.media_type);
            self.config.rootfs.diff_ids.push(layer.digest.clone());
            self.layers.push(blob);
        }
        self.history(shown, &record.created, record.layer.is_none());
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

/// Whether what a record promises is there.
fn has(scene: &Scene<'_>, record: &StepRecord) -> Result<bool, Report> {
    match &record.layer {
        Some(layer) => Ok(scene.environment.store.has_kept_layer(&scene.target.map, layer)?),
        None => Ok(true),
    }
}

fn now() -> String {
    Timestamp::now().to_string()
}
