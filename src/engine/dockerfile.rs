//! `build --check`: reads a Dockerfile and its ignore file, and says what is wrong, doubtful or on offer. No layer is
//! read and nothing is started.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::context::{Caller, Context};
use crate::build::dockerfile::evaluate::{Extent, Plan, evaluate};
use crate::build::dockerfile::file::Dockerfile;
use crate::build::dockerfile::scope::{self, Inputs};
use crate::build::dockerfile::source::{FILE_LIMIT, Problem, Source};
use crate::build::dockerfile::stages::BaseImage;
use crate::build::git::is_git;
use crate::build::ignore::{self, Ignore};
use crate::image::local;
use crate::registry::Platform;
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::root::open_in;
use crate::types::{Report, ReportKind, Thing};

/// The names of a Dockerfile that nobody names, in this order.
const NAMES: [&str; 3] = ["Containerfile", "Dockerfile", "dockerfile"];

/// A build, as far as its Dockerfile says.
#[derive(Debug)]
pub(crate) struct CheckBuild {
    /// The directory of the context.
    pub(crate) context: PathBuf,
    /// The Dockerfile.
    pub(crate) file: DockerfileAt,
    /// The ignore file, if it is not beside the Dockerfile or in the context.
    pub(crate) ignore_file: Option<PathBuf>,
    /// `NAME=value`, or `NAME` for the value of the caller's environment.
    pub(crate) arguments: Vec<String>,
    /// The stage.
    pub(crate) target: Option<String>,
    /// The platform of the image, if it is not that of this host.
    pub(crate) platform: Option<Platform>,
}

/// Where a Dockerfile is.
#[derive(Debug)]
pub(crate) enum DockerfileAt {
    /// In the context, by one of its usual names.
    Usual,
    /// At this path, from the caller's working directory; if it is not there, from the context.
    Path(PathBuf),
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
    /// The directory of the context, absolute.
    pub(crate) context: PathBuf,
}

/// Reads a Dockerfile and its ignore file.
pub(crate) fn read_build(caller: &Caller, check: &CheckBuild) -> Result<ReadBuild, Report> {
    let given = check.context.to_string_lossy();
    if is_git(&given) || given.contains("://") {
        let message = format!("`{given}`: rc builds from directories alone, and fetches none");
        return Err(Report::new(ReportKind::Unsupported, message).with_hint("fetch it, and name the directory"));
    }
    let directory = caller.working_dir.join(&check.context);
    let root = open_context(&directory)?;
    let (name, bytes) = dockerfile(&root, caller, check)?;
    let ignore = ignore_file(&root, caller, check, &name)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        let message = format!("`{}` is not UTF-8: line {}", name.display(), line + 1);
        let hint = "standard input is read as a Dockerfile: unpack an archive, and name the directory";
        let hint = matches!(check.file, DockerfileAt::Text(_)).then(|| hint.to_owned());
        Report::new(ReportKind::Invalid, message).with_hint_of(hint)
    })?;
    let source = Source::new(name.to_string_lossy(), text);
    Ok(ReadBuild { source, ignore, inputs: inputs(caller, check), context: directory })
}

/// Checks a Dockerfile. Fails if it cannot be read; what is wrong in it is in the result.
pub(crate) fn check_build(context: &Context, caller: &Caller, check: &CheckBuild) -> Result<CheckedBuild, Report> {
    let ReadBuild { source, ignore, inputs, .. } = read_build(caller, check)?;
    // What is not here is not pulled for a check.
    let store = context.store_to_read().ok();
    let bases = |name: &str| {
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

fn open_context(directory: &Path) -> Result<OwnedFd, Report> {
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
        Ok(file) => std::fs::File::from(file),
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

/// The name and the bytes of the Dockerfile.
fn dockerfile(root: &OwnedFd, caller: &Caller, check: &CheckBuild) -> Result<(PathBuf, Vec<u8>), Report> {
    match &check.file {
        DockerfileAt::Text(bytes) => Ok((PathBuf::from("Dockerfile"), bytes.clone())),
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
            let message = format!("`{}` has no Containerfile and no Dockerfile", check.context.display());
            Err(Report::new(ReportKind::NotFound(Thing::File), message).with_hint("name it: `--file PATH`"))
        }
    }
}

/// The ignore file: that which is named, that of the Dockerfile, or that of the context.
fn ignore_file(
    root: &OwnedFd,
    caller: &Caller,
    check: &CheckBuild,
    dockerfile: &Path,
) -> Result<Option<Ignore>, Report> {
    let limit = ignore::FILE_LIMIT;
    if let Some(path) = &check.ignore_file {
        let bytes = fs::read_regular(caller.working_dir.join(path), most(limit))?;
        return patterns(path, bytes).map(Some);
    }
    for end in ["containerignore", "dockerignore"] {
        let own = PathBuf::from(format!("{}.{end}", dockerfile.display()));
        let found = match &check.file {
            DockerfileAt::Text(_) => None,
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
    for name in [".containerignore", ".dockerignore"] {
        if let Some(bytes) = beneath(root, Path::new(name), limit)? {
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
    let platform = |platform: Platform| scope::Platform {
        os: platform.os,
        architecture: platform.architecture,
        variant: platform.variant.unwrap_or_default(),
    };
    Inputs {
        arguments,
        build_platform: platform(Platform::host()),
        platform: platform(check.platform.clone().unwrap_or_else(Platform::host)),
        target: check.target.clone(),
    }
}
