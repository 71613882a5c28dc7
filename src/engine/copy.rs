//! Copying files between a container and the host, or another container.
//!
//! ```text
//! container ── pack ─→ pipe ─→ unpack ── directory of the host     pack, unpack: forked children that are root in the
//! host ─────── pack ─→ pipe ─→ unpack ── container                 root namespace, if they work in a container
//! ```
//! An archive is all that passes between the two sides, so neither has the rights of the other: the side of the host
//! runs as the user, and the side of the container resolves every path beneath the container's root.

mod rules;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use self::rules::{Source, Target, There, ends_in_slash, target};
use super::context::Context;
use super::image;
use crate::container::{self, Container, Environment, Filesystem, Manager, Working};
use crate::runtime::users;
use crate::storage::decompress;
use crate::storage::pack::{self, Contents, LeftOut, Owner, Pack};
use crate::storage::tar::Reader;
use crate::storage::unpack::{self, Owners, Unpack};
use crate::sys::fs::{self, AtPath as _, plain};
use crate::sys::locate::{Located, locate};
use crate::sys::process;
use crate::types::{Report, ReportKind, Thing};

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path of the host, absolute.
    Host(PathBuf),
    /// A path in a container, from its root.
    Container {
        /// The container.
        name: String,
        /// The path.
        path: PathBuf,
    },
    /// An archive: from standard input, or to standard output.
    Stream,
}

/// What to copy, and how.
#[derive(Debug)]
pub(crate) struct Copy {
    /// From where.
    pub(crate) from: Place,
    /// To where.
    pub(crate) to: Place,
    /// A link at the end of the source's path is followed.
    pub(crate) follow: bool,
    /// Files in a container belong to the user of its program; otherwise they keep their owners.
    pub(crate) chown: bool,
    /// A directory may replace a file, and a file a directory.
    pub(crate) overwrite: bool,
}

/// The size of buffers, in bytes.
const BUFFER: usize = 256 << 10;

/// Copies files; `stream` is the descriptor of [`Place::Stream`]. Returns what could not be copied.
///
/// If it fails, what was copied before stays.
pub(crate) fn copy(context: &Context, request: &Copy, stream: OwnedFd) -> Result<LeftOut, Report> {
    let environment = context.environment(Manager::default())?;
    let found = |name: &str| container::find(&environment.store, name);
    match (&request.from, &request.to) {
        (Place::Host(from), Place::Container { name, path }) => {
            let container = found(name)?;
            from_host(from, request, &open(&environment, &container)?, path)
        }
        (Place::Container { name, path }, Place::Host(to)) => {
            let container = found(name)?;
            to_host(&open(&environment, &container)?, path, request, to)
        }
        (Place::Container { name, path }, Place::Container { name: other, path: to }) => {
            let (container, other) = (found(name)?, found(other)?);
            if container.config.id == other.config.id {
                return within(&environment, &open(&environment, &container)?, request, path, to);
            }
            // In one order, whichever is the source: another copy may go the other way.
            let first = (container.config.id < other.config.id).then(|| open(&environment, &container)).transpose()?;
            let into = open(&environment, &other)?;
            let from = first.map_or_else(|| open(&environment, &container), Ok)?;
            between(&from, path, request, &into, to)
        }
        (Place::Container { name, path }, Place::Stream) => {
            let container = found(name)?;
            let from = open(&environment, &container)?;
            let source = source(&from, path, request.follow)?;
            pack_in(&from, path, request.follow, source.archived(), stream, None)?.finish()
        }
        (Place::Stream, Place::Container { name, path }) => {
            let container = found(name)?;
            unpack_in(&open(&environment, &container)?, path, request, None, stream, None)?.finish()
        }
        _ => Err(Report::new(ReportKind::Invalid, "one of the two paths must be in a container")
            .with_hint("write it as CONTAINER:PATH")),
    }
}

fn open<'a>(environment: &'a Environment, container: &'a Container) -> Result<Filesystem<'a>, Report> {
    let layers = image::layers_of(environment, &container.config)?;
    Ok(Filesystem::open(environment, container, layers, true)?)
}

/// The user's file or directory, to a container.
fn from_host(from: &Path, request: &Copy, to: &Filesystem<'_>, path: &Path) -> Result<LeftOut, Report> {
    let located = find(root()?.as_fd(), from, request.follow).map_err(|error| missing(from, None, &error))?;
    let source = existing(from, &located, None)?;
    let (read, write) = pipe()?;
    let unpacking = unpack_in(to, path, request, Some(&source), read, Some(write.as_fd()))?;
    let how = Pack { name: source.archived(), contents: Contents::Files { stay: false }, owner: Owner::Root };
    let packed =
        pack::pack(located.parent.as_fd(), &located.name, &how, BufWriter::with_capacity(BUFFER, File::from(write)));
    both(packed.map_err(Report::from), unpacking.finish())
}

/// A container's file or directory, to the user.
fn to_host(from: &Filesystem<'_>, path: &Path, request: &Copy, to: &Path) -> Result<LeftOut, Report> {
    let source = source(from, path, request.follow)?;
    let located = find(root()?.as_fd(), to, true).map_err(|error| missing(to, None, &error))?;
    let (base, rename) = place(&source, &located, to, None)?;
    let base = match base.as_os_str().is_empty() || base == Path::new(".") {
        true => located.parent,
        false => directory_in(located.parent.as_fd(), &base).map_err(|error| missing(to, None, &error))?,
    };
    let (read, write) = pipe()?;
    let packing = pack_in(from, path, request.follow, source.archived(), write, Some(read.as_fd()))?;
    let how = Unpack {
        base: Path::new(""),
        rename: Some((source.archived(), &rename)),
        // A link in its place would lead a later copy elsewhere.
        top: Some(source.top()),
        owners: Owners::Me,
        overwrite: request.overwrite,
    };
    let mut archive = Reader::new(BufReader::with_capacity(BUFFER, File::from(read)));
    let unpacked = unpack::unpack(base.as_fd(), &mut archive, &how).map_err(Report::from);
    // A packer that nobody reads from ends.
    drop(archive);
    both(packing.finish(), unpacked.map(|special| LeftOut { special }))
}

/// From one container to another.
fn between(
    from: &Filesystem<'_>,
    path: &Path,
    request: &Copy,
    other: &Filesystem<'_>,
    to: &Path,
) -> Result<LeftOut, Report> {
    let source = source(from, path, request.follow)?;
    let (read, write) = pipe()?;
    let packing = pack_in(from, path, request.follow, source.archived(), write, Some(read.as_fd()))?;
    let unpacked = unpack_in(other, to, request, Some(&source), read, None)?.finish();
    both(packing.finish(), unpacked)
}

/// Within one container: by a file without a name, since a tree cannot be copied into itself while it is read, and the
/// writable layer of a container that does not run cannot be mounted twice.
fn within(
    environment: &Environment,
    filesystem: &Filesystem<'_>,
    request: &Copy,
    path: &Path,
    to: &Path,
) -> Result<LeftOut, Report> {
    use rustix::fs::{Mode, OFlags};
    let source = source(filesystem, path, request.follow)?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let tmp = environment.store.tmp();
    let aside = rustix::fs::open(&tmp, flags, Mode::RUSR | Mode::WUSR).at("create a file in", &tmp)?;
    let copied = rustix::io::fcntl_dupfd_cloexec(&aside, 0).at("copy a descriptor of", &tmp)?;
    let packed = pack_in(filesystem, path, request.follow, source.archived(), copied, None)?.finish()?;
    rustix::fs::seek(&aside, rustix::fs::SeekFrom::Start(0)).at("read a file in", &tmp)?;
    both(Ok(packed), unpack_in(filesystem, to, request, Some(&source), aside, None)?.finish())
}

/// What is at a path of a container.
fn source(from: &Filesystem<'_>, path: &Path, follow: bool) -> Result<Source, Report> {
    let name = from.name();
    let look = |root: BorrowedFd<'_>| {
        let located = find(root, path, follow).map_err(|error| missing(path, Some(name), &error))?;
        existing(path, &located, Some(name))
    };
    from.start("rc: cp", look)?.finish()
}

/// Packs what is at a path of a container into `out`, under this name. The child closes `other`, the other end.
fn pack_in(
    from: &Filesystem<'_>,
    path: &Path,
    follow: bool,
    name: &[u8],
    out: OwnedFd,
    other: Option<BorrowedFd<'_>>,
) -> Result<Working<LeftOut>, Report> {
    let container = from.name();
    from.start("rc: cp", move |root| {
        close(other);
        let located = find(root, path, follow).map_err(|error| missing(path, Some(container), &error))?;
        let how = Pack { name, contents: Contents::Files { stay: false }, owner: Owner::Own };
        let out = BufWriter::with_capacity(BUFFER, File::from(out));
        Ok(pack::pack(located.parent.as_fd(), &located.name, &how, out)?)
    })
}

/// Unpacks what `input` has at a path of a container: `source`, or any archive into a directory. The child closes
/// `other`, the other end.
fn unpack_in(
    to: &Filesystem<'_>,
    path: &Path,
    request: &Copy,
    source: Option<&Source>,
    input: OwnedFd,
    other: Option<BorrowedFd<'_>>,
) -> Result<Working<LeftOut>, Report> {
    let name = to.name();
    let (single, users, groups) = to.ids();
    to.start("rc: cp", move |root| {
        close(other);
        let located = find(root, path, true).map_err(|error| missing(path, Some(name), &error))?;
        let (base, rename) = match source {
            Some(source) => place(source, &located, path, Some(name))?,
            None if located.is_directory() => (located.path(), Vec::new()),
            None => return Err(refused(path, Some(name), "an archive is unpacked into a directory that exists")),
        };
        let owners = match (single, request.chown) {
            (true, _) => Owners::One(0, 0),
            (false, false) => Owners::Archive(users, groups),
            (false, true) => {
                let user = users::look_up(root, to.user(), &[])?;
                Owners::One(user.uid, user.gid)
            }
        };
        let rename = source.map(|source| (source.archived(), &rename[..]));
        let top = source.map(Source::top);
        let how = Unpack { base: &base, rename, top, owners, overwrite: request.overwrite };
        let input = File::from(input);
        // Only an archive of the user's may be compressed.
        let input: Box<dyn io::Read + Send> = match source {
            Some(_) => Box::new(input),
            None => decompress(input).map_err(|error| unpack::Error::Archive(error.into()))?,
        };
        let mut archive = Reader::new(BufReader::with_capacity(BUFFER, input));
        let special = unpack::unpack(root, &mut archive, &how)?;
        archive.finish().map_err(unpack::Error::Archive)?;
        Ok(LeftOut { special })
    })
}

/// The directory below the root, or below the parent of a path of the host, and the name in it that a source gets; no
/// name if the directory itself is it.
fn place(
    source: &Source,
    located: &Located,
    path: &Path,
    container: Option<&str>,
) -> Result<(PathBuf, Vec<u8>), Report> {
    use std::os::unix::ffi::OsStrExt as _;
    let answer = target(source, There::new(located), ends_in_slash(path));
    let target = answer.map_err(|reason| refused(path, container, reason))?;
    let here = |name: &OsStr| match container {
        Some(_) => located.directory.join(name),
        None => PathBuf::from(name),
    };
    let parent = || if container.is_some() { located.directory.clone() } else { PathBuf::new() };
    Ok(match target {
        Target::Inside => (here(&located.name), source.name.clone()),
        Target::Merged => (here(&located.name), Vec::new()),
        Target::Itself => (parent(), located.name.as_bytes().to_vec()),
    })
}

/// As [`locate`]; what a slash follows is not taken for a link.
fn find(root: BorrowedFd<'_>, path: &Path, follow: bool) -> io::Result<Located> {
    locate(root, path, follow || ends_in_slash(path))
}

/// The source that was found. Fails if there is nothing, or no directory before a slash.
fn existing(path: &Path, located: &Located, container: Option<&str>) -> Result<Source, Report> {
    let not_found = || missing(path, container, &rustix::io::Errno::NOENT.into());
    located.stat.ok_or_else(not_found)?;
    if ends_in_slash(path) && !located.is_directory() {
        return Err(refused(path, container, "it is not a directory"));
    }
    Ok(Source::new(path, located))
}

fn directory_in(parent: BorrowedFd<'_>, name: &Path) -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, openat};
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

/// The root of the host.
fn root() -> Result<File, Report> {
    Ok(fs::open_directory("/")?)
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Report> {
    let flags = rustix::pipe::PipeFlags::CLOEXEC;
    rustix::pipe::pipe_with(flags)
        .map_err(|error| Report::new(ReportKind::of_step(&error.into()), "cannot create a pipe"))
}

/// Closes the other end of a pipe in the child: it would never see that nobody is there any more.
fn close(other: Option<BorrowedFd<'_>>) {
    if let Some(other) = other {
        drop(process::close(other));
    }
}

/// The result of both ends. If one end fails, the other fails as well, and says less.
fn both(packed: Result<LeftOut, Report>, unpacked: Result<LeftOut, Report>) -> Result<LeftOut, Report> {
    match (packed, unpacked) {
        (Ok(packed), Ok(unpacked)) => Ok(LeftOut { special: packed.special + unpacked.special }),
        (Err(report), _) if !matches!(report.kind, ReportKind::Interrupted(_)) => Err(report),
        (Err(_), Err(report)) | (Ok(_), Err(report)) | (Err(report), Ok(_)) => Err(report),
    }
}

fn shown(path: &Path, container: Option<&str>) -> String {
    let path = path.display().to_string().escape_debug().to_string();
    container.map_or_else(|| format!("`{path}`"), |name| format!("`{path}` in container `{name}`"))
}

fn missing(path: &Path, container: Option<&str>, error: &io::Error) -> Report {
    let kind = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ReportKind::NotFound(Thing::File),
        _ => ReportKind::of_step(error),
    };
    Report::new(kind, format!("cannot find {}: {}", shown(path, container), plain(error)))
}

fn refused(path: &Path, container: Option<&str>, reason: &str) -> Report {
    Report::new(ReportKind::Invalid, format!("cannot copy to or from {}: {reason}", shown(path, container)))
}
