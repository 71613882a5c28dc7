//! `build --check`: reads a Dockerfile and its ignore file, and says what is wrong, doubtful or on offer. No layer is
//! read and nothing is started.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::build::BuildSecret;
use super::context::{Caller, Context};
use super::fetch::{self, FetchedContext, Fetcher};
use super::preprocess;
use crate::build::dockerfile::evaluate::{Extent, Plan, evaluate};
use crate::build::dockerfile::file::Dockerfile;
use crate::build::dockerfile::scope::{self, Inputs, PROXIES};
use crate::build::dockerfile::source::{FILE_LIMIT, Problem, Source};
use crate::build::dockerfile::stages::BaseImage;
use crate::build::ignore::{self, Ignore};
use crate::build::named::{ContextPlace, NamedContext};
use crate::image::local;
use crate::registry::{NamedBy, Platform};
use crate::storage::Scratch;
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::root::open_in;
use crate::types::{Report, ReportKind, Thing};
use crate::userns::UserNamespace;

/// The names of a Dockerfile that nobody names, in this order.
const NAMES: [&str; 3] = ["Containerfile", "Dockerfile", "dockerfile"];

/// A build, as far as its Dockerfile says.
#[derive(Debug)]
pub(crate) struct CheckBuild {
    /// The context.
    pub(crate) context: ContextPlace,
    /// Contexts with names.
    pub(crate) named: Vec<NamedContext>,
    /// Standard input, if a context is there.
    pub(crate) input: Option<File>,
    /// The Dockerfile.
    pub(crate) file: DockerfileAt,
    /// The secrets of the build: some of them may be credentials for where the context is.
    pub(crate) secrets: Vec<BuildSecret>,
    /// The ignore file, if it is not beside the Dockerfile or in the context.
    pub(crate) ignore_file: Option<PathBuf>,
    /// Flags of cpp(1).
    pub(crate) cpp_flags: Vec<String>,
    /// `NAME=value`, or `NAME` for the value of the caller's environment.
    pub(crate) arguments: Vec<String>,
    /// The stage.
    pub(crate) target: Option<String>,
    /// The platform of the image, if it is not that of this host.
    pub(crate) platform: Option<Platform>,
    /// Whether certificates are verified; `None`: they are.
    pub(crate) tls_verify: Option<bool>,
    /// Steps get the caller's proxies, as if they were given as arguments.
    pub(crate) passes_proxies: bool,
}

/// Where a Dockerfile is.
#[derive(Debug)]
pub(crate) enum DockerfileAt {
    /// In the context, by one of its usual names.
    Usual,
    /// At this path, from the caller's working directory; if it is not there, from the context.
    Path(PathBuf),
    /// On a server.
    Url(String),
    /// It was read from elsewhere.
    Text(Vec<u8>),
}

/// A Dockerfile that was checked.
#[derive(Debug)]
pub(crate) struct CheckedBuild {
    /// Its text.
    pub(crate) source: Source,
    /// What it says, or everything that is wrong.
    pub(crate) outcome: Result<(Dockerfile, Plan), Vec<Problem>>,
}

/// What a build is read from.
#[derive(Debug)]
pub(crate) struct ReadBuild {
    /// The text of the Dockerfile.
    pub(crate) source: Source,
    /// What the context does not show.
    pub(crate) ignore: Option<Ignore>,
    /// What the caller gives.
    pub(crate) inputs: Inputs,
    /// The directory of the context, absolute; `None` if there is only a Dockerfile.
    pub(crate) context: Option<PathBuf>,
    /// What the user should know about the context.
    pub(crate) warnings: Vec<String>,
    /// The context was fetched or unpacked: no other build finds it at the same place.
    pub(crate) is_fetched: bool,
    /// What was fetched goes when this is dropped.
    pub(crate) scratch: Option<Scratch>,
}

/// The context, before anything of it is read.
#[derive(Default)]
struct Found {
    /// A directory, which is empty if there is only a Dockerfile.
    directory: PathBuf,
    /// It was fetched or unpacked.
    is_fetched: bool,
    /// There is only a Dockerfile.
    has_no_files: bool,
    /// The Dockerfile, if it is not among its files.
    dockerfile: Option<Vec<u8>>,
    warnings: Vec<String>,
    scratch: Option<Scratch>,
}

/// Reads a Dockerfile and its ignore file.
pub(crate) fn read_build(context: &Context, caller: &Caller, check: &CheckBuild) -> Result<ReadBuild, Report> {
    let found = find(context, caller, check)?;
    let root = open_context(&found.directory)?;
    let place = Place { root: &root, caller, check, is_fetched: found.is_fetched };
    let (name, bytes) = match found.dockerfile {
        Some(bytes) => (PathBuf::from("Dockerfile"), bytes),
        None => place.dockerfile(&found.directory)?,
    };
    let ignore = place.ignore_file(&name)?;
    let mut warnings = found.warnings;
    let bytes = match preprocess::is_wanted(&name) {
        true => preprocess::run(&name, &bytes, &found.directory, &check.cpp_flags, caller, &mut warnings)?,
        false if check.cpp_flags.is_empty() => bytes,
        false => {
            let message =
                format!("`--cpp-flag` is for a Dockerfile whose name ends with .in, not `{}`", name.display());
            return Err(Report::new(ReportKind::Invalid, message));
        }
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        let message = format!("`{}` is not UTF-8: line {}", name.display(), line + 1);
        Report::new(ReportKind::Invalid, message)
    })?;
    let source = Source::new(name.to_string_lossy(), text);
    Ok(ReadBuild {
        source,
        ignore,
        inputs: inputs(caller, check),
        is_fetched: found.is_fetched,
        context: (!found.has_no_files).then_some(found.directory),
        warnings,
        scratch: found.scratch,
    })
}

/// Looks for the context, and for a Dockerfile that is not in it.
fn find(context: &Context, caller: &Caller, check: &CheckBuild) -> Result<Found, Report> {
    let on_server = match &check.file {
        DockerfileAt::Url(url) => Some(url),
        _ => None,
    };
    if let (ContextPlace::Path(path), None) = (&check.context, on_server) {
        let directory = caller.working_dir.join(path);
        if !fs::metadata(&directory).is_ok_and(|found| found.is_file()) {
            return Ok(Found { directory, ..Found::default() });
        }
    }
    let store = context.store()?;
    let home = UserNamespace::open(&context.ids()?, &context.runtime_dir()?)?;
    let scratch = store.scratch()?;
    let fetcher = Fetcher {
        context,
        store,
        home: &home,
        environment: &caller.environment,
        secrets: &check.secrets,
        by: NamedBy::User,
        is_trusted: true,
        tls_verify: check.tls_verify,
        agent: caller.variable("SSH_AUTH_SOCK"),
    };
    let mut warnings = Vec::new();
    let input = check.input.as_ref().map(File::try_clone).transpose().at("duplicate", "standard input")?;
    let kept = check.arguments.iter().any(|argument| argument == "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1");
    let mut place = check.context.clone();
    if let ContextPlace::Git(url) = &mut place {
        url.keep_git_dir = url.keep_git_dir.or(kept.then_some(true));
    }
    let into = || Ok(scratch.path().to_owned());
    let got = fetch::context(&fetcher, &place, &caller.working_dir, &into, input, &mut |text| warnings.push(text))?;
    let mut found = match got {
        FetchedContext::Directory(directory) => Found { directory, ..Found::default() },
        FetchedContext::Files(directory) => Found { directory, is_fetched: true, ..Found::default() },
        FetchedContext::Dockerfile(bytes) => {
            if !matches!(check.file, DockerfileAt::Usual) {
                let message = "the context is a Dockerfile, so `--file` cannot name another one";
                return Err(Report::new(ReportKind::Invalid, message));
            }
            Found {
                directory: scratch.path().join("files"),
                dockerfile: Some(bytes),
                is_fetched: true,
                has_no_files: true,
                ..Found::default()
            }
        }
    };
    if let Some(url) = on_server {
        fetcher.download(url, None, scratch.path(), "Dockerfile")?;
        found.dockerfile = Some(fs::read_regular(scratch.path().join("Dockerfile"), most(FILE_LIMIT))?);
    }
    Ok(Found { warnings, scratch: Some(scratch), ..found })
}

/// Checks a Dockerfile. Fails if it cannot be read; what is wrong in it is in the result.
pub(crate) fn check_build(context: &Context, caller: &Caller, check: &CheckBuild) -> Result<CheckedBuild, Report> {
    let ReadBuild { source, ignore, inputs, scratch: _scratch, .. } = read_build(context, caller, check)?;
    // What is not here is not pulled for a check.
    let store = context.store_to_read().ok();
    let bases = |name: &str, _: Option<&str>| {
        let store = store.as_ref()?;
        let config = local::find(store, &context.registries, name).ok()?.config;
        let variant = config.variant.unwrap_or_default();
        let platform = scope::Platform { os: config.os, architecture: config.architecture, variant };
        Some(BaseImage { settings: config.config, platform })
    };
    let extent = if inputs.target.is_some() { Extent::Needed } else { Extent::All };
    let outcome = Dockerfile::read(&source).and_then(|file| {
        let plan = evaluate(&file, &inputs, &bases, ignore.as_ref(), extent)?;
        Ok((file, plan))
    });
    Ok(CheckedBuild { source, outcome })
}

pub(super) fn open_context(directory: &Path) -> Result<OwnedFd, Report> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory, flags, Mode::empty()).at("open", directory);
    opened.map_err(|error| {
        if !error.is_not_found() {
            return error.into();
        }
        Report::new(ReportKind::NotFound(Thing::File), format!("no such context: `{}`", directory.display()))
    })
}

/// A regular file beneath the context: no link leads out of it (CVE-2026-44517).
fn beneath(root: &OwnedFd, name: &Path, limit: usize) -> Result<Option<Vec<u8>>, Report> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match open_in(root.as_fd(), name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A link that leads nowhere in the context is no missing file.
            let is_there = rustix::fs::statat(root, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok();
            if !is_there {
                return Ok(None);
            }
            let message = format!("`{}` is a link out of the context, or to nothing", name.display());
            return Err(Report::new(ReportKind::Invalid, message));
        }
        Err(error) => return Err(PathError::new("open", name, error).into()),
    };
    let metadata = file.metadata().at("stat", name)?;
    if !metadata.is_file() {
        return Err(Report::new(ReportKind::Invalid, format!("`{}` is not a regular file", name.display())));
    }
    read(file, name, limit).map(Some)
}

fn read(file: impl std::io::Read, name: &Path, limit: usize) -> Result<Vec<u8>, Report> {
    let mut bytes = Vec::new();
    file.take(most(limit).saturating_add(1)).read_to_end(&mut bytes).at("read", name)?;
    if bytes.len() > limit {
        let message = format!("`{}` has more than {} KiB", name.display(), limit >> 10);
        return Err(Report::new(ReportKind::Invalid, message));
    }
    Ok(bytes)
}

fn most(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

/// Where a Dockerfile and its ignore file are looked for.
struct Place<'a> {
    root: &'a OwnedFd,
    caller: &'a Caller,
    check: &'a CheckBuild,
    /// What belongs to the context is in it, and nowhere else.
    is_fetched: bool,
}

impl Place<'_> {
    /// The name and the bytes of the Dockerfile.
    fn dockerfile(&self, directory: &Path) -> Result<(PathBuf, Vec<u8>), Report> {
        let Self { root, caller, check, .. } = self;
        match &check.file {
            DockerfileAt::Text(bytes) => Ok((PathBuf::from("Dockerfile"), bytes.clone())),
            DockerfileAt::Url(url) => Err(Report::new(ReportKind::Internal, format!("`{url}` was not fetched"))),
            DockerfileAt::Path(path) if self.is_fetched => {
                let found = beneath(root, path, FILE_LIMIT)?;
                let message = || format!("no such Dockerfile in the context: `{}`", path.display());
                let found = found.ok_or_else(|| Report::new(ReportKind::NotFound(Thing::File), message()))?;
                Ok((path.clone(), found))
            }
            DockerfileAt::Path(path) => {
                match fs::read_regular(caller.working_dir.join(path), most(FILE_LIMIT)) {
                    Ok(bytes) => return Ok((path.clone(), bytes)),
                    Err(error) if error.is_not_found() && path.is_relative() => {}
                    Err(error) => return Err(error.into()),
                }
                let bytes = beneath(root, path, FILE_LIMIT)?.ok_or_else(|| {
                    let message = format!("no such Dockerfile: `{}`", path.display());
                    let hint = "it is neither in the working directory nor in the context";
                    Report::new(ReportKind::NotFound(Thing::File), message).with_hint(hint)
                })?;
                Ok((path.clone(), bytes))
            }
            DockerfileAt::Usual => {
                for name in NAMES {
                    if let Some(bytes) = beneath(root, Path::new(name), FILE_LIMIT)? {
                        return Ok((PathBuf::from(name), bytes));
                    }
                }
                let shown =
                    if self.is_fetched { "the context".to_owned() } else { format!("`{}`", directory.display()) };
                let message = format!("{shown} has no Containerfile and no Dockerfile");
                Err(Report::new(ReportKind::NotFound(Thing::File), message).with_hint("name it: `--file PATH`"))
            }
        }
    }

    /// The ignore file: that which is named, that of the Dockerfile, or that of the context.
    fn ignore_file(&self, dockerfile: &Path) -> Result<Option<Ignore>, Report> {
        let Self { root, caller, check, .. } = self;
        let limit = ignore::FILE_LIMIT;
        if let Some(path) = &check.ignore_file {
            let bytes = fs::read_regular(caller.working_dir.join(path), most(limit))?;
            return patterns(path, bytes).map(Some);
        }
        for end in ["containerignore", "dockerignore"] {
            let own = PathBuf::from(format!("{}.{end}", dockerfile.display()));
            let found = match &check.file {
                DockerfileAt::Text(_) | DockerfileAt::Url(_) => None,
                DockerfileAt::Path(_) if self.is_fetched => beneath(root, &own, limit)?,
                DockerfileAt::Path(_) => match fs::read_regular(caller.working_dir.join(&own), most(limit)) {
                    Ok(bytes) => Some(bytes),
                    Err(error) if error.is_not_found() && own.is_relative() => beneath(root, &own, limit)?,
                    Err(error) if error.is_not_found() => None,
                    Err(error) => return Err(error.into()),
                },
                DockerfileAt::Usual => beneath(root, &own, limit)?,
            };
            if let Some(bytes) = found {
                return patterns(&own, bytes).map(Some);
            }
        }
        ignore_of(root)
    }
}

/// The ignore file of a context.
pub(super) fn ignore_of(root: &OwnedFd) -> Result<Option<Ignore>, Report> {
    for name in [".containerignore", ".dockerignore"] {
        if let Some(bytes) = beneath(root, Path::new(name), ignore::FILE_LIMIT)? {
            return patterns(Path::new(name), bytes).map(Some);
        }
    }
    Ok(None)
}

fn patterns(name: &Path, bytes: Vec<u8>) -> Result<Ignore, Report> {
    let invalid = |reason: String| Report::new(ReportKind::Invalid, format!("`{}`: {reason}", name.display()));
    let text = String::from_utf8(bytes).map_err(|_| invalid("not UTF-8".to_owned()))?;
    Ignore::new(&text).map_err(|wrong| invalid(wrong.to_string()))
}

fn inputs(caller: &Caller, check: &CheckBuild) -> Inputs {
    let own = |name: &str| caller.environment.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
    let mut arguments = BTreeMap::new();
    for argument in &check.arguments {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), own(argument)),
        };
        // A name that the caller does not have is not given at all.
        arguments.extend(value.map(|value| (name.to_owned(), value)));
    }
    for name in PROXIES.into_iter().filter(|_| check.passes_proxies) {
        if let (Some(value), false) = (own(name).filter(|value| !value.is_empty()), arguments.contains_key(name)) {
            arguments.insert(name.to_owned(), value);
        }
    }
    Inputs {
        arguments,
        build_platform: platform_of(Platform::host()),
        platform: platform_of(check.platform.clone().unwrap_or_else(Platform::host)),
        target: check.target.clone(),
        contexts: check.named.iter().map(|named| (named.name.clone(), named.place.stage())).collect(),
    }
}

/// A platform in the words of a Dockerfile.
fn platform_of(platform: Platform) -> scope::Platform {
    let Platform { os, architecture, variant } = platform;
    scope::Platform::new(os, architecture, variant)
}
