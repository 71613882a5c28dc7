//! RUN: a command in a container on the layers of a stage. What it writes is the next layer.

use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Scene;
use super::event::{BuildEvent, Stream};
use super::input::Input;
use super::mounts::{self, Mounted, StepMount};
use super::request::Debugger;
use crate::build::dockerfile::steps::Script;
use crate::container::{self, Attach, FrontEnd, Origin, Secrets, SessionEvent, Started, Step, Trees};
use crate::engine::facts;
use crate::monitor::ContainerDir;
use crate::plan::{self, Defaults, ImageDefaults, ImageSource, LogRequest, MountKind, Request, Seccomp};
use crate::runtime::seccomp;
use crate::types::{IdMaps, Layers, Network, Report, ReportKind, Signal};

/// A command of a build.
#[derive(Default)]
pub(super) struct Command<'a> {
    /// The program and its arguments.
    pub(super) argv: Vec<String>,
    /// The program, if it is in the Dockerfile.
    pub(super) script: Option<Script>,
    /// `NAME=value`.
    pub(super) env: Vec<String>,
    /// `NAME=value` that are in no key: proxies.
    pub(super) hidden_env: Vec<String>,
    /// What is in no key and no file.
    pub(super) secrets: Secrets,
    /// The user, as `USER` has it; empty for root.
    pub(super) user: String,
    /// The working directory, which exists.
    pub(super) working_dir: String,
    /// Its network, if not the default one.
    pub(super) network: Option<Network>,
    /// It has all capabilities in its user namespace, and no filter of system calls.
    pub(super) is_insecure: bool,
    /// Its devices that vendors describe, by their names.
    pub(super) devices: Vec<String>,
    /// What its key has of what is mounted: nothing of a secret's value, or of what is in a cache.
    pub(super) mount_keys: Vec<String>,
    /// What is mounted for it.
    pub(super) mounts: Vec<StepMount<'a>>,
}

/// Runs a command on `lowers`, lowest first, and returns its exit code. Its writable layer is `upper` in `directory`,
/// which this makes. If this process ends, the command is killed.
pub(super) fn run(
    scene: &Scene<'_>,
    image: &ImageSource,
    command: &mut Command<'_>,
    lowers: Vec<PathBuf>,
    directory: &Path,
    tell: &mut dyn FnMut(BuildEvent<'_>),
) -> Result<i32, Report> {
    let mut note = |text: &str| tell(BuildEvent::Noted(text));
    let mut requests = mounts::requests(scene, &command.mounts, &mut note)?;
    requests.requests.extend(mounts::script(scene, command.script.as_ref())?);
    requests.requests.extend(scene.asked.mounts.iter().cloned());
    let mut lowers = lowers;
    let mut step = step(scene, image, command, &requests, directory)?;
    lowers.splice(0..0, mounts::points(scene, &command.mounts, &step.config.mounts, &command.secrets.files)?);
    // A shell after a failure gets them, too.
    step.secrets =
        if scene.debugger.is_some() { command.secrets.clone() } else { std::mem::take(&mut command.secrets) };
    let attach = Attach::Yes { stdin: scene.stdin.is_some() };
    let front_end = FrontEnd { attach, descriptors: [None; 3], size: None, take_signals: None };
    let trees = trees(&step, lowers, &requests);
    let (directory, id) = (ContainerDir::new(directory.to_owned()), step.config.id.clone());
    let ended = match container::start(scene.environment, Origin::Step(Box::new(step)), trees, front_end) {
        Ok(Started::Joined { session, .. }) => {
            follow(scene, session, &mut |stream, bytes| tell(BuildEvent::Output { stream, bytes }))
        }
        Ok(_) => Err(Report::new(ReportKind::Internal, "a step of a build was not attached")),
        Err(error) => Err(error.into()),
    };
    if !matches!(ended, Ok(0)) {
        container::discard_cgroup_of_step(&directory, &id);
    }
    ended
}

/// Runs a shell in place of a command that has failed in `failed`: with its files, mounts, secrets and variables. What
/// it changes is thrown away.
pub(super) fn shell(
    scene: &Scene<'_>,
    image: &ImageSource,
    command: &Command<'_>,
    lowers: Vec<PathBuf>,
    failed: &Path,
    debugger: &Debugger<'_>,
) -> Result<(), Report> {
    // Its monitor has taken everything down.
    scene.settle();
    let mut requests = mounts::requests(scene, &command.mounts, &mut |_| {})?;
    requests.requests.extend(mounts::script(scene, command.script.as_ref())?);
    let mut lowers = lowers;
    let directory = scene.new_directory("shell")?;
    let mut step = step(scene, image, command, &requests, &directory)?;
    lowers.splice(0..0, mounts::points(scene, &command.mounts, &step.config.mounts, &command.secrets.files)?);
    let is_shell = |word: &&String| word.ends_with("sh");
    let program = command.argv.first().filter(is_shell).cloned().unwrap_or_else(|| "/bin/sh".to_owned());
    step.config.argv = vec![program];
    (step.config.tty, step.config.open_stdin) = (true, true);
    step.upper = Some(failed.join("upper"));
    step.secrets = command.secrets.clone();
    let trees = trees(&step, lowers, &requests);
    let started = container::start(scene.environment, Origin::Step(Box::new(step)), trees, debugger.front_end)?;
    (debugger.follow)(started)
}

fn step(
    scene: &Scene<'_>,
    image: &ImageSource,
    command: &Command<'_>,
    mounted: &Mounted,
    directory: &Path,
) -> Result<Step, Report> {
    let has_own_name = !matches!(command.network, Some(Network::Host | Network::Container(_) | Network::Path(_)))
        && scene.asked.uts.is_none();
    let request = Request {
        command: command.argv.clone(),
        entrypoint: Some(String::new()),
        interactive: scene.stdin.is_some(),
        auto_remove: true,
        detach: false,
        env: command.env.iter().chain(&command.hidden_env).cloned().collect(),
        add_hosts: scene.add_hosts.clone(),
        mounts: mounted.requests.clone(),
        devices: scene.asked.devices.iter().chain(&command.devices).cloned().collect(),
        privileged: command.is_insecure,
        http_proxy: Some(false),
        unset_env_all: true,
        user: Some(command.user.clone()).filter(|user| !user.is_empty()),
        working_dir: Some(command.working_dir.clone()).filter(|path| !path.is_empty()),
        hostname: Some(scene.hostname.clone()).filter(|_| has_own_name),
        network: command.network.clone(),
        log: LogRequest { driver: Some("none".to_owned()), ..LogRequest::default() },
        ..scene.asked.clone()
    };
    // Everything is in the request; the base's volumes and labels are no matter of a step.
    let image = ImageDefaults { source: image.clone(), ..ImageDefaults::none() };
    let identity = container::new_identity(&scene.environment.store, None)?;
    // The settings' base of /etc/hosts is for containers: a step is the same on every host.
    let defaults = Defaults { hosts_file: String::new(), ..facts::defaults(&scene.context.settings) };
    let needs = plan::needs(&request, &image, &defaults, &[]);
    let (store, settings, caller) = (&scene.environment.store, &scene.context.settings, scene.caller);
    let mut found = facts::look_up(&facts::Place { store, settings, caller }, &needs, &identity.id)?;
    for name in mounted.trees.keys() {
        found.images.insert(name.clone(), ImageSource { reference: name.clone(), ..ImageSource::default() });
    }
    let facts = facts::facts(&request, scene.caller, &scene.environment.ids, defaults, found);
    let config = plan::resolve(&request, &image, &facts, identity)?;
    if config.user_namespace.maps != IdMaps::default()
        && let Some(network) = request.network
    {
        // It is that of the other container, so the files of the step would have other owners in the image.
        let message =
            format!("a step of a build cannot have the network `{network}`: that container has ID maps of its own");
        return Err(Report::new(ReportKind::Unsupported, message));
    }
    if let Seccomp::Profile { rules, .. } = &config.seccomp {
        seccomp::compile(rules)?;
    }
    let files = container::files(&config, &Layers::default())?;
    Ok(Step { config, directory: ContainerDir::new(directory), files, upper: None, secrets: Secrets::default() })
}

/// What all files of a step are made of.
fn trees(step: &Step, lowers: Vec<PathBuf>, mounted: &Mounted) -> Trees {
    let mut trees = Trees::of_root(lowers.into());
    for mount in &step.config.mounts {
        if let MountKind::Image { image } = &mount.kind
            && let Some(layers) = mounted.trees.get(&image.reference)
        {
            trees.mounted.insert(mount.destination.clone(), layers.clone());
        }
    }
    trees
}

/// Passes the output on until the command has ended.
fn follow(
    scene: &Scene<'_>,
    mut session: container::Session,
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<i32, Report> {
    let mut streams = [(Stream::Out, session.stdout.take()), (Stream::Err, session.stderr.take())];
    for (_, pipe) in &streams {
        if let Some(pipe) = pipe {
            rustix::io::ioctl_fionbio(pipe, true).map_err(cannot("read the output"))?;
        }
    }
    let mut input = Input::new(scene.stdin, session.stdin.take()).map_err(cannot("pass input on"))?;
    let mut buffer = vec![0; 64 << 10];
    let mut wanted = scene.wanted.get();
    loop {
        let (is_told, is_cancelled) = {
            let mut polled = vec![PollFd::from_borrowed_fd(session.as_fd(), PollFlags::IN)];
            polled.extend(wanted.map(|wanted| PollFd::new(wanted, PollFlags::empty())));
            polled.extend(input.awaited());
            let pipes = streams.iter().filter_map(|(_, pipe)| pipe.as_ref());
            polled.extend(pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
            match poll(&mut polled, None::<&Timespec>) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other.map_err(cannot("wait for a step"))?,
            };
            let is_cancelled = wanted.is_some() && !polled[1].revents().is_empty();
            (!polled[0].revents().is_empty(), is_cancelled)
        };
        if is_cancelled {
            session.signal(Signal::KILL);
            wanted = None;
        }
        input.pass_on();
        for (stream, pipe) in &mut streams {
            drain(*stream, pipe, AT_ONCE, &mut buffer, output)?;
        }
        if is_told && let SessionEvent::Exited { code, .. } = session.event()? {
            // All of its output is in the pipes.
            for (stream, pipe) in &mut streams {
                drain(*stream, pipe, usize::MAX, &mut buffer, output)?;
            }
            scene.leave(session.leave());
            scene.check()?;
            return Ok(code);
        }
    }
}

/// How often a pipe is read before the other descriptors are looked at: a program may write as fast as this reads.
const AT_ONCE: usize = 16;

/// Reads what is there, so many times at most; at its end the pipe is closed.
fn drain(
    stream: Stream,
    pipe: &mut Option<OwnedFd>,
    most: usize,
    buffer: &mut [u8],
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<(), Report> {
    let Some(open) = pipe.take() else { return Ok(()) };
    let mut file = std::fs::File::from(open);
    for _ in 0..most {
        match file.read(buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => output(stream, &buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot("read the output")(error)),
        }
    }
    *pipe = Some(file.into());
    Ok(())
}

fn cannot<E: Into<std::io::Error>>(action: &'static str) -> impl FnOnce(E) -> Report {
    move |error| {
        let error = error.into();
        Report::new(ReportKind::of_step(&error), format!("cannot {action}: {}", crate::sys::fs::plain(&error)))
    }
}
