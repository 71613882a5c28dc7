//! From a Dockerfile to an image: resolves the bases, takes the steps of the stages that the target needs, each stage
//! after those that it needs, and stores the image.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Scene;
use super::event::{BuildEvent, Failed, StepTitle};
use super::files::{Copy, Part, Side};
use super::imports::Imports;
use super::mounts::{AGENTS, SECRETS, StepMount, StepMountKind};
use super::remote;
use super::request::{BuildRequest, Debugger};
use super::result;
use super::run::Command;
use super::shared;
use super::sources::Sources;
use super::stage::{Stage, Step, StepAt};
use super::worker::Worker;
use crate::build::dockerfile::evaluate::{Extent, Plan, evaluate};
use crate::build::dockerfile::instruction::{Network as StepNetwork, Security};
use crate::build::dockerfile::mount::{MountKind, Owner};
use crate::build::dockerfile::rules::Warning;
use crate::build::dockerfile::scope::Platform;
use crate::build::dockerfile::source::Span;
use crate::build::dockerfile::stages::{Base, BaseImage, Origin};
use crate::build::dockerfile::steps::{Action, CopyStep, RunStep, Step as PlannedStep};
use crate::build::git::is_git;
use crate::build::ignore::Ignore;
use crate::container::Secrets;
use crate::engine::cache;
use crate::engine::context::{Caller, Context};
use crate::engine::observer::Observer;
use crate::image::Config;
use crate::image::built::{self, Built};
use crate::registry::NamedBy;
use crate::storage::Hasher;
use crate::sys::fs;
use crate::types::{Digest, Network, Report, ReportKind, SecretFile};

/// How many steps run at the same time on a machine with fewer CPUs: most of them wait for a network or a disk.
const LEAST_JOBS: usize = 4;

/// How often what is shown moves: ten times a second.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

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
    scene.imports = Imports::read(context, &caller, request, observer)?;
    let mut maker = Maker::new(&scene, request);
    let plan = maker.plan(observer)?;
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
    scene: &'a Scene<'a>,
    request: &'a BuildRequest,
    sources: Sources<'a>,
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
            let known = |name: &str| {
                let Config { config, os, architecture, variant, .. } = self.sources.image(name)?.config.clone();
                let platform = Platform { os, architecture, variant: variant.unwrap_or_default() };
                Some(BaseImage { settings: config, platform })
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

    /// Makes the stages that the target needs, each after those that it needs itself; those that need nothing of each
    /// other at the same time. The first failure ends the others.
    fn grow(&mut self, plan: &Plan, tell: &mut dyn FnMut(usize, BuildEvent<'_>)) -> Result<(), Failed> {
        let cpus = || std::thread::available_parallelism().map_or(LEAST_JOBS, NonZero::get).max(LEAST_JOBS);
        let most = self.request.jobs.map_or_else(cpus, NonZero::get);
        let mut workers: Vec<Worker> = Vec::new();
        let grown = loop {
            let is_ready = |index: &&usize| {
                !self.stages.contains_key(index)
                    && !workers.iter().any(|worker| worker.index == **index)
                    && plan.graph.nodes[**index].needs().all(|other| self.stages.contains_key(&other))
            };
            let ready = plan.graph.order.iter().filter(is_ready).copied();
            // A shell needs this process' terminal.
            let ready: Vec<usize> = ready.take(if self.scene.debugger.is_some() { 1 } else { usize::MAX }).collect();
            match (&ready[..], workers.is_empty()) {
                ([], true) => break Ok(()),
                // Nothing else can be done meanwhile, so it needs no child, unless what is shown moves.
                ([index], true) if !self.request.is_watched || self.scene.debugger.is_some() => {
                    match self.stage(plan, *index, &mut |event| tell(*index, event)) {
                        Ok(stage) => drop(self.stages.insert(*index, stage)),
                        Err(failed) => break Err(failed),
                    }
                    continue;
                }
                _ => {}
            }
            for index in ready.into_iter().take(most.saturating_sub(workers.len())) {
                workers.push(Worker::start(index, self.scene, |tell| self.stage(plan, index, tell))?);
            }
            if let Err(failed) = self.listen(&mut workers, tell) {
                break Err(failed);
            }
        };
        workers.into_iter().for_each(Worker::finish);
        grown
    }

    /// Waits until children have told something, and passes it on. Takes the stages of those that are done.
    fn listen(&mut self, workers: &mut Vec<Worker>, tell: &mut dyn FnMut(usize, BuildEvent<'_>)) -> Result<(), Failed> {
        let mut polled: Vec<_> = workers.iter().map(|worker| PollFd::new(worker, PollFlags::IN)).collect();
        let tick = self.request.is_watched.then_some(TICK);
        match poll(&mut polled, tick.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            other => other
                .map_err(|error| Report::from(fs::PathError::new("wait for", "a stage", io::Error::from(error))))?,
        };
        if tick.is_some() {
            tell(0, BuildEvent::Tick);
        }
        let has_told: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
        for position in (0..workers.len()).rev().filter(|position| has_told[*position]) {
            let index = workers[position].index;
            if let Some(grown) = workers[position].read(&mut |event| tell(index, event)) {
                let worker = workers.remove(position);
                worker.finish();
                self.stages.insert(index, grown?);
            }
        }
        Ok(())
    }

    /// Takes the steps of a stage.
    fn stage(&self, plan: &Plan, index: usize, tell: &mut dyn FnMut(BuildEvent<'_>)) -> Result<Stage, Failed> {
        let mut stage = self.begin(plan, index, &self.stages)?;
        for part in self.parts(plan, index) {
            let Some((step, title, slot)) = part.step else {
                stage.note(part.created_by);
                continue;
            };
            tell(BuildEvent::Begun(&title));
            let located = at(step.span);
            self.scene.check()?;
            let mut prepared = self.prepare(&step.action).map_err(&located)?;
            let at = StepAt { span: step.span, title: &title, created_by: part.created_by, slot };
            stage.take(self.scene, &mut prepared, &at, tell).map_err(|failed| match failed {
                Failed::Report(report) => located(report),
                other => other,
            })?;
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
                Stage::of(self.sources.image(name).ok_or_else(missing)?)
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

    pub(super) fn prepare(&self, action: &Action) -> Result<Step<'_>, Report> {
        match action {
            Action::Run(run) => Ok(Step::Run(Box::new(self.command(run)?))),
            Action::Copy(copy) => Ok(Step::Copy(self.copy(copy)?)),
            Action::Workdir { path, user } => Ok(Step::Directory { path: path.clone(), user: user.clone() }),
        }
    }

    fn command(&self, run: &RunStep) -> Result<Command, Report> {
        let allowed = |what: &str| self.request.allowed.iter().any(|allowed| allowed == what);
        let refused = |what: &str| {
            let report =
                Report::new(ReportKind::Invalid, format!("the Dockerfile asks for {what}, which is not allowed"));
            Err(report.with_hint(format!("if you trust it: --allow {what}")))
        };
        let network = match run.network {
            StepNetwork::Default => self.scene.network.clone(),
            StepNetwork::None => Some(Network::None),
            StepNetwork::Host if allowed("network.host") => Some(Network::Host),
            StepNetwork::Host => return refused("network.host"),
        };
        if run.security == Security::Insecure && !allowed("security.insecure") {
            return refused("security.insecure");
        }
        if let Some(device) = run.devices.iter().find(|device| device.is_required) {
            let message = format!("device `{}` cannot be given to a step", device.name.escape_debug());
            return Err(Report::new(ReportKind::Unsupported, message));
        }
        let proxies = run.proxies.iter().map(|(name, value)| format!("{name}={value}"));
        let mut command = Command {
            argv: run.argv.clone(),
            script: run.script.clone(),
            env: run.env.clone(),
            hidden_env: proxies.collect(),
            secrets: Secrets::default(),
            user: run.user.clone(),
            working_dir: run.directory.clone(),
            network,
            is_insecure: run.security == Security::Insecure,
            mount_keys: Vec::new(),
            mounts: Vec::new(),
        };
        for mount in &run.mounts {
            self.mount(mount, &mut command)?;
        }
        Ok(command)
    }

    fn mount(&self, mount: &crate::build::dockerfile::steps::StepMount, command: &mut Command) -> Result<(), Report> {
        let target = mount.mount.target.clone().unwrap_or_default();
        let (key, kind) = match &mount.mount.kind {
            MountKind::Tmpfs { size } => (format!("tmpfs {target}"), StepMountKind::Tmpfs { size: *size }),
            MountKind::Cache { from: None, id, sharing, is_read_only, owner, .. } => {
                let id = id.clone().unwrap_or_else(|| target.clone());
                let key = format!("cache {target} {id} {is_read_only}");
                (key, StepMountKind::Cache { id, sharing: *sharing, is_read_only: *is_read_only, owner: *owner })
            }
            MountKind::Bind { source, is_writable, .. } => {
                let source = source.clone().unwrap_or_else(|| ".".to_owned());
                let (side, ignore) = (self.side(mount.origin.as_ref())?, self.ignore(mount.origin.as_ref()));
                self.bind(&target, &source, side, ignore, *is_writable)?
            }
            MountKind::Secret { id, env, is_required, owner } => {
                let id = id.clone().or_else(|| env.clone()).unwrap_or_else(|| last(&target).to_owned());
                command.mount_keys.push(format!("secret {id} {target} {env:?}"));
                let Some(secret) = self.request.secrets.iter().find(|secret| secret.id == id) else {
                    if *is_required {
                        let report = Report::new(ReportKind::Invalid, format!("the step needs the secret `{id}`"));
                        return Err(report.with_hint(format!("give it: --secret id={id},src=FILE")));
                    }
                    return Ok(());
                };
                match env {
                    Some(variable) => {
                        let value = std::str::from_utf8(&secret.value).ok().filter(|value| !value.contains('\0'));
                        let value = value.ok_or_else(|| {
                            Report::new(ReportKind::Invalid, format!("the secret `{id}` is no text for a variable"))
                        })?;
                        command.secrets.variables.push(format!("{variable}={value}"));
                    }
                    None => command.secrets.files.push(SecretFile {
                        path: if target.is_empty() { format!("{SECRETS}/{id}") } else { target }.into(),
                        uid: owner.uid.unwrap_or(0),
                        gid: owner.gid.unwrap_or(0),
                        mode: owner.mode.unwrap_or(0o400),
                        value: secret.value.clone(),
                    }),
                }
                return Ok(());
            }
            MountKind::Cache { .. } => {
                return Err(Report::new(ReportKind::Unsupported, "a cache cannot be filled by `from` yet"));
            }
            MountKind::Ssh { id, is_required, owner } => {
                return self.agent(id.as_deref(), *is_required, *owner, target, command);
            }
        };
        command.mount_keys.push(key);
        command.mounts.push(StepMount { target, kind });
        Ok(())
    }

    /// The socket of an agent. The first one of a step is that of its `SSH_AUTH_SOCK`, as in BuildKit.
    fn agent(
        &self,
        id: Option<&str>,
        is_required: bool,
        owner: Owner,
        target: String,
        command: &mut Command,
    ) -> Result<(), Report> {
        let id = id.unwrap_or("default");
        command.mount_keys.push(format!("ssh {id} {target}"));
        let Some(agent) = self.request.agents.iter().find(|agent| agent.id == id) else {
            if is_required {
                let report = Report::new(ReportKind::Invalid, format!("the step needs the agent `{id}`"));
                return Err(report.with_hint(format!("give it: --ssh {id}")));
            }
            return Ok(());
        };
        let socket = self.sources.agent(agent)?;
        let others = command.mounts.iter().filter(|mount| matches!(mount.kind, StepMountKind::Agent { .. })).count();
        let target = if target.is_empty() { format!("{AGENTS}.{others}") } else { target };
        let has_one = |variables: &[String]| variables.iter().any(|variable| variable.starts_with("SSH_AUTH_SOCK="));
        if !has_one(&command.env) && !has_one(&command.hidden_env) {
            command.hidden_env.push(format!("SSH_AUTH_SOCK={target}"));
        }
        command.mounts.push(StepMount { target, kind: StepMountKind::Agent { socket, owner } });
        Ok(())
    }

    /// Files of the context, a stage or an image. What is read-only and whole is not copied.
    fn bind(
        &self,
        target: &str,
        source: &str,
        side: Side,
        ignore: Option<&Ignore>,
        is_writable: bool,
    ) -> Result<(String, StepMountKind), Report> {
        let is_seen_whole = ignore.is_none_or(Ignore::is_empty);
        if let (Side::Directory(context), true, false) = (&side, is_seen_whole, is_writable) {
            let root = fs::open_directory(context)?;
            let found = crate::sys::root::find(&root, source);
            let found = found.map_err(|error| fs::PathError::new("find", context.join(source), error))?;
            let path = crate::sys::root::path_of(std::os::fd::AsFd::as_fd(&found));
            let path = path.map_err(|error| fs::PathError::new("find", context.join(source), error))?;
            let listed = super::files::list(self.scene, &whole(side, source, None))?;
            return Ok((format!("bind {target} {}", listed.digest), StepMountKind::Directory(path)));
        }
        let copy = Box::new(whole(side, source, ignore.cloned()));
        let listed = super::files::list(self.scene, &copy)?;
        Ok((format!("bind {target} {} {is_writable}", listed.digest), StepMountKind::Copied { copy, is_writable }))
    }

    fn copy(&self, step: &CopyStep) -> Result<Copy<'_>, Report> {
        let mut parts = Vec::new();
        let mut slot = None;
        let unpack = |is_usual: bool| step.add.as_ref().is_some_and(|add| add.unpack.unwrap_or(is_usual));
        for sources in step.sources.chunk_by(|one, other| !is_remote(step, one) && !is_remote(step, other)) {
            if let Some(url) = sources.first().filter(|source| is_remote(step, source)) {
                parts.push(self.remote(step, url)?);
                continue;
            }
            let side = self.side(step.origin.as_ref())?;
            let ignore = self.ignore(step.origin.as_ref());
            let memo = step.origin.is_none().then(|| self.memo()).flatten();
            slot = memo.as_ref().map(|memo| {
                let words = [sources, &[step.destination.clone(), memo.display().to_string()]].concat();
                Hasher::sha256(words.join("\0").as_bytes())
            });
            parts.push(Part {
                sources: sources.iter().map(|source| source.as_bytes().to_vec()).collect(),
                ignore: ignore.map(|ignore| ignore as _),
                memo,
                unpack: unpack(true),
                ..Part::of(side)
            });
        }
        if !step.documents.is_empty() {
            let directory = self.scene.new_directory("documents")?;
            fs::create_dir(&directory)?;
            let mut sources = Vec::new();
            for document in &step.documents {
                let path = directory.join(&document.name);
                fs::write(&path, &document.content)?;
                let mode = rustix::fs::Mode::from_raw_mode(0o644);
                fs::AtPath::at(rustix::fs::chmod(&path, mode), "set the mode of", &path)?;
                sources.push(document.name.clone().into_bytes());
            }
            parts.push(Part { sources, ..Part::of(Side::Directory(directory)) });
        }
        let exclude = Ignore::new(&step.exclude.join("\n"))
            .map_err(|wrong| Report::new(ReportKind::Invalid, format!("`--exclude`: {}", wrong.reason)))?;
        Ok(Copy {
            parts,
            exclude: (!exclude.is_empty()).then_some(exclude),
            parents: step.parents,
            destination: step.destination.clone(),
            owner: step.chown.clone(),
            mode_text: step.chmod.as_ref().map(|mode| format!("{mode:?}")).unwrap_or_default(),
            mode: step.chmod.clone(),
            slot,
        })
    }

    /// A source of ADD that is fetched: a file by URL, or a repository.
    fn remote(&self, step: &CopyStep, source: &str) -> Result<Part<'_>, Report> {
        let add = step.add.clone().unwrap_or_default();
        let fetcher = self.sources.fetcher(NamedBy::Dockerfile);
        if is_git(source) {
            return remote::repository(self.scene, &fetcher, &add, source);
        }
        remote::file(self.scene, &fetcher, &add, source, step.destination.ends_with('/'))
    }

    /// The time of everything that is built, RFC 3339, if not its own.
    fn time(&self) -> Result<Option<String>, Report> {
        let Some(seconds) = self.request.epoch else { return Ok(None) };
        let time = Timestamp::from_second(seconds)
            .map_err(|_| Report::new(ReportKind::Invalid, format!("{seconds} is no time in seconds since 1970")))?;
        Ok(Some(time.to_string()))
    }

    /// Where the digests of the context's files are noted.
    fn memo(&self) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStrExt as _;
        let context = self.request.context.as_ref().filter(|_| !self.request.is_fetched)?;
        let name = Hasher::sha256(context.as_os_str().as_bytes());
        Some(self.scene.environment.store.root().join("cache").join("memo").join(name.hex()))
    }

    fn side(&self, origin: Option<&Origin>) -> Result<Side, Report> {
        match origin {
            Some(Origin::Stage(index)) => Ok(Side::Layers(self.stages[index].lowers(self.scene))),
            Some(Origin::Image(name)) => self.sources.side(name),
            None => self.request.context.clone().map(Side::Directory).ok_or_else(|| {
                Report::new(ReportKind::Invalid, "the build has no context to take files from")
                    .with_hint("name a directory: `rc build -f - DIRECTORY`")
            }),
        }
    }

    /// What an ignore file leaves out of the files of an origin.
    fn ignore(&self, origin: Option<&Origin>) -> Option<&Ignore> {
        match origin {
            None => self.request.ignore.as_ref(),
            Some(Origin::Image(name)) => self.sources.ignore(name),
            Some(Origin::Stage(_)) => None,
        }
    }

    /// Writes the files of the target, and stores its image, as far as that was asked for.
    fn deliver(&mut self, plan: &Plan) -> Result<Option<(Digest, Digest)>, Failed> {
        let stage = self.stages.remove(&plan.graph.target);
        let Some(mut stage) = stage else {
            return Err(Report::new(ReportKind::Internal, "the target was not built").into());
        };
        for export in &self.request.exports {
            result::export(self.scene, &stage, export)?;
        }
        if !self.request.is_stored {
            return Ok(None);
        }
        if let Some(which) = self.request.squash {
            result::squash(self.scene, &mut stage, which)?;
        }
        stage.config.config.labels.extend(self.request.labels.iter().cloned());
        if let Some(time) = self.time()? {
            stage.config.created = Some(time);
        }
        if stage.config.created.is_none() {
            stage.config.created = Some(Timestamp::now().to_string());
        }
        let store = &self.scene.environment.store;
        // The image cannot be fetched again, so what it is made of is on disk before it has a name.
        store.sync_layers().map_err(Report::from)?;
        let BuildRequest { names, annotations, .. } = self.request;
        let built = Built {
            config: stage.config,
            layers: stage.layers,
            names: names.clone(),
            annotations: annotations.clone(),
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

/// A copy of what one source has, by its own name into a directory, or of all of a side.
fn whole(side: Side, source: &str, ignore: Option<Ignore>) -> Copy<'static> {
    let is_all = source.trim_matches(['/', '.']).is_empty();
    let destination = if is_all { "/".to_owned() } else { format!("/{}", last(source)) };
    Copy {
        parts: vec![Part { sources: vec![source.as_bytes().to_vec()], ..Part::of(side) }],
        exclude: ignore,
        parents: false,
        destination,
        owner: None,
        mode_text: String::new(),
        mode: None,
        slot: None,
    }
}

/// The last component of a path.
fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Whether a source of ADD is fetched.
fn is_remote(step: &CopyStep, source: &str) -> bool {
    step.add.is_some() && remote::is_remote(source)
}

/// Adds the place of an instruction.
pub(super) fn at(span: Span) -> impl Fn(Report) -> Failed {
    move |report| Failed::Step { span, report }
}
