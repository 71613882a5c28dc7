//! What all steps of a build have in common.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::imports::Imports;
use super::request::{BuildRequest, Debugger};
use crate::container::{self, Environment};
use crate::engine::context::{Caller, Context};
use crate::engine::image::target;
use crate::plan::{LimitRequest, Request};
use crate::runtime::Rootfs;
use crate::settings::CacheMounts;
use crate::storage::{Form, Hasher, Ownership, Scratch, StepRecord, Target};
use crate::sys::fs;
use crate::sys::process::Child;
use crate::types::{Digest, Network, Report, ReportKind};
use crate::userns::UserNamespace;

/// The host name in every step: the same each time, so that what a program writes is the same.
const HOSTNAME: &str = "build";

/// What all steps of a build have in common.
pub(super) struct Scene<'a> {
    pub(super) context: &'a Context,
    pub(super) environment: &'a Environment,
    pub(super) caller: &'a Caller,
    pub(super) home: UserNamespace,
    pub(super) target: Target,
    /// What joins layers here.
    pub(super) form: Form,
    /// The time, in seconds since the epoch, to which newer files are set.
    pub(super) newest: Option<i64>,
    /// Further lines of `/etc/hosts` in every step.
    pub(super) add_hosts: Vec<String>,
    /// What every step is asked for beside its command.
    pub(super) asked: Request,
    /// The network of RUN, if not the usual one.
    pub(super) network: Option<Network>,
    /// The labels of what steps leave in the cache.
    pub(super) layer_labels: BTreeMap<String, String>,
    /// What every RUN reads from.
    pub(super) stdin: Option<&'a File>,
    /// Steps that others have taken.
    pub(super) imports: Imports,
    /// What follows a shell in a step that has failed.
    pub(super) debugger: Option<&'a Debugger<'a>>,
    /// The files of a command that fails become an image.
    pub(super) keeps_failed: bool,
    /// Steps that were taken before do not count, in seconds since the epoch.
    pub(super) oldest: Option<i64>,
    /// The process of the build; stages may be children of it.
    pub(super) process: i32,
    /// The host name in every step.
    pub(super) hostname: String,
    /// What comes before the names of caches that are mounted.
    pub(super) cache_namespace: String,
    /// The digest of no files.
    pub(super) nothing_listed: Digest,
    /// An empty directory: the layer of an image without any.
    nothing: PathBuf,
    /// The directory of the build: a sweeper removes it when this process is gone.
    directory: Scratch,
    count: Cell<u32>,
    /// The monitors of steps that have ended.
    monitors: RefCell<Vec<Child>>,
    /// At its end of file nothing is wanted of this process any more.
    pub(super) wanted: OnceCell<OwnedFd>,
}

impl<'a> Scene<'a> {
    /// Makes the directory of a build.
    pub(super) fn new(
        context: &'a Context,
        environment: &'a Environment,
        caller: &'a Caller,
        request: &'a BuildRequest,
    ) -> Result<Self, Report> {
        let directory = environment.store.scratch()?;
        let home = UserNamespace::open(&environment.ids, &environment.runtime_dir)?;
        let nothing = directory.path().join("nothing");
        fs::create_dir(&nothing)?;
        rustix::fs::chmod(&nothing, rustix::fs::Mode::from_raw_mode(0o755)).map_err(|error| {
            Report::from(fs::PathError::new("set the mode of", &nothing, std::io::Error::from(error)))
        })?;
        let argument = |name: &str| request.inputs.arguments.get(name).filter(|value| !value.is_empty()).cloned();
        let mut scene = Self {
            context,
            environment,
            caller,
            home,
            target: target(&environment.ids),
            form: Form::Kernel,
            newest: request.epoch.filter(|_| request.rewrites_times),
            add_hosts: request.add_hosts.clone(),
            asked: request.asked.clone(),
            network: request.network.clone(),
            layer_labels: request.layer_labels.clone(),
            stdin: request.stdin.as_ref(),
            imports: Imports::default(),
            debugger: None,
            keeps_failed: request.keeps_failed,
            oldest: request.oldest,
            process: rustix::process::getpid().as_raw_nonzero().get(),
            hostname: argument("BUILDKIT_SANDBOX_HOSTNAME").unwrap_or_else(|| HOSTNAME.to_owned()),
            cache_namespace: namespace(context, request, argument("BUILDKIT_CACHE_MOUNT_NS")),
            nothing_listed: Hasher::sha256(b""),
            nothing,
            directory,
            count: Cell::new(0),
            monitors: RefCell::default(),
            wanted: OnceCell::new(),
        };
        let probe = scene.new_directory("probe")?;
        super::overlay::make(&probe)?;
        let lowers = scene.at_least_one(&[]);
        // Volatile: nobody waits until the disk has written what others have changed.
        let root = Rootfs::Overlay { layers: lowers.into(), directory: probe, volatile: true };
        if container::needs_fuse(environment, &root, &scene.home)? {
            scene.form = Form::Fuse;
        }
        Ok(scene)
    }

    /// Whose files layers have: `mapped`, or `one` if all belong to one user.
    pub(super) fn ids(&self) -> &'static str {
        match self.target.ownership {
            Ownership::Single => "one",
            Ownership::Mapped { .. } => "mapped",
        }
    }

    /// A step has ended, and its monitor cleans up.
    pub(super) fn leave(&self, monitor: Option<Child>) {
        self.monitors.borrow_mut().extend(monitor);
    }

    /// Whether steps need what this process alone has: one after the other, and none in a child.
    pub(super) fn is_interactive(&self) -> bool {
        self.debugger.is_some() || self.stdin.is_some()
    }

    /// Whether what a record says is older than the caller wants.
    pub(super) fn is_old(&self, record: &StepRecord) -> bool {
        let created = || record.created.parse::<jiff::Timestamp>().map_or(i64::MIN, jiff::Timestamp::as_second);
        self.oldest.is_some_and(|oldest| created() < oldest)
    }

    /// The host name, if it is not the usual one.
    pub(super) fn own_hostname(&self) -> Option<&str> {
        Some(self.hostname.as_str()).filter(|name| *name != HOSTNAME)
    }

    /// Waits until the monitors of all steps have ended: they hold copies of the build's locks.
    pub(super) fn settle(&self) {
        for monitor in self.monitors.borrow_mut().drain(..) {
            drop(monitor.wait());
        }
    }

    /// Fails if nothing is wanted of this process any more.
    pub(super) fn check(&self) -> Result<(), Report> {
        let Some(wanted) = self.wanted.get() else { return Ok(()) };
        let mut polled = [PollFd::new(wanted, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut polled, Some(&now)) {
            Ok(count) if count > 0 => Err(cancelled()),
            _ => Ok(()),
        }
    }

    /// What a key has of what every step is asked for: how much it may use changes nothing.
    pub(super) fn keyed(&self) -> Option<Request> {
        let keyed = Request { limits: LimitRequest::default(), cgroup_parent: None, ..self.asked.clone() };
        (keyed != Request::default()).then_some(keyed)
    }

    /// The layers, or an empty one: an overlay has at least one.
    pub(super) fn at_least_one(&self, lowers: &[PathBuf]) -> Vec<PathBuf> {
        if lowers.is_empty() { vec![self.nothing.clone()] } else { lowers.to_vec() }
    }

    /// A name in the directory of the build that nothing has yet.
    pub(super) fn new_directory(&self, kind: &str) -> Result<PathBuf, Report> {
        self.count.set(self.count.get() + 1);
        Ok(self.directory.path().join(format!("{kind}-{}-{}", std::process::id(), self.count.get())))
    }
}

/// What comes before the names of caches: what the caller says, and the context, if each has caches of its own.
fn namespace(context: &Context, request: &BuildRequest, asked: Option<String>) -> String {
    let asked = asked.map(|asked| format!("{asked}/")).unwrap_or_default();
    match context.settings.build.cache_mounts.value {
        CacheMounts::Shared => asked,
        // The first part of the place is the context.
        CacheMounts::PerContext => format!("{}\0{asked}", request.place.split('\0').next().unwrap_or_default()),
    }
}

/// Another stage has failed.
pub(super) fn cancelled() -> Report {
    Report::new(ReportKind::Conflict, "the build was cancelled")
}
