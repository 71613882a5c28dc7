//! Work on the files of a stage in children that are root in the root namespace: what COPY and WORKDIR do, and keeping
//! a writable layer.

use std::cell::RefCell;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Scene;
use super::archive;
use super::overlay::{make, make_far};
use crate::build;
use crate::build::chmod::Mode;
use crate::build::copy::{self, Destination, Former, Ignore, ItemKind, Memo, Onto, Tree, Writer};
use crate::build::dockerfile::mount::Owner;
use crate::container;
use crate::runtime::{self, Apart, FuseOverlay, Rootfs, users};
use crate::storage::{COPIED, Descriptor, Form, Hasher, Ownership};
use crate::sys::fs::{self, AtPath as _};
use crate::sys::root::make_directories;
use crate::types::{Digest, Report, ReportKind, json};
use crate::userns;
use rustix::fs::{AtFlags, Gid, Uid, chownat};

/// Where the sources of a copy are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Side {
    /// In a directory of the host.
    Directory(PathBuf),
    /// In the files of a stage or an image: its layers, lowest first.
    Layers(Vec<PathBuf>),
}

/// Sources of a copy that are on one side.
pub(super) struct Part<'a> {
    /// Where they are.
    pub(super) side: Side,
    /// Their paths or patterns.
    pub(super) sources: Vec<Vec<u8>>,
    /// What is left out of the side.
    pub(super) ignore: Option<&'a dyn Ignore>,
    /// Where the digests of its files are noted, if they are.
    pub(super) memo: Option<PathBuf>,
    /// Archives are unpacked, as ADD does.
    pub(super) unpack: bool,
    /// Makes what is on the side, if that is done only when it is copied; until then this is all that is known of it.
    pub(super) later: Option<Later<'a>>,
}

/// What comes to its side only when it is copied.
pub(super) struct Later<'a> {
    /// What it is, as the key has it.
    pub(super) identity: String,
    /// Makes the directory.
    pub(super) make: Box<dyn Fn() -> Result<(), Report> + 'a>,
}

impl Part<'_> {
    /// Nothing of a side yet.
    pub(super) fn of(side: Side) -> Self {
        Self { side, sources: Vec::new(), ignore: None, memo: None, unpack: false, later: None }
    }
}

/// What is copied.
pub(super) struct Copy<'a> {
    /// The sources.
    pub(super) parts: Vec<Part<'a>>,
    /// `--exclude`: what is left out of each source.
    pub(super) exclude: Option<build::ignore::Ignore>,
    /// `--parents`: the directories above a source are part of its name.
    pub(super) parents: bool,
    /// Where they are copied to, absolute; a `/` at the end says that it is a directory.
    pub(super) destination: String,
    /// `--chown`: whom everything belongs to, as `USER` has it. Otherwise what comes from a directory of the host
    /// belongs to root.
    pub(super) owner: Option<String>,
    /// `--chmod`, as the key has it; empty if it was not given.
    pub(super) mode_text: String,
    /// `--chmod`.
    pub(super) mode: Option<Mode>,
    /// Where the layer that such a copy makes is noted, for the next one.
    pub(super) slot: Option<Digest>,
}

/// What a copy would copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    /// The digest of all names, types, modes, owners, links and contents.
    pub(super) digest: Digest,
    /// How many files and directories.
    pub(super) count: usize,
    /// There are FIFOs, sockets or devices, by which something outside can be reached.
    pub(super) is_live: bool,
    /// It is one file, and no directory.
    pub(super) is_file: bool,
}

/// The version of what [`listed`] says.
const LISTED: u32 = 1;

/// So many files take a while: the disk begins to write them before their archive has been read.
pub(super) const MANY: usize = 1000;

/// Lists and hashes what a copy would copy. What was found in layers before is known.
pub(super) fn list(scene: &Scene<'_>, copy: &Copy<'_>) -> Result<Listed, Report> {
    let (store, name) = (&scene.environment.store, of_layers(copy));
    if let Some(known) = name.as_ref().and_then(|name| json::from_slice(&store.listing(name)?).ok()) {
        return Ok(known);
    }
    let found = with_trees(scene, copy, |found| Ok(listed(found.iter().map(|(part, trees)| (*part, &trees[..])))))?;
    if let Some(name) = name {
        // Without it the next build takes longer.
        store.note_listing(&name, &serde_json::to_vec(&found).unwrap_or_default()).unwrap_or_default();
    }
    Ok(found)
}

/// The name of what a copy finds in layers, which never change; `None` if it takes anything from elsewhere.
fn of_layers(copy: &Copy<'_>) -> Option<Digest> {
    let of_part = |part: &Part<'_>| match &part.side {
        Side::Layers(layers) if part.ignore.is_none() && part.later.is_none() => {
            Some((layers.clone(), part.sources.clone()))
        }
        _ => None,
    };
    let parts = copy.parts.iter().map(of_part).collect::<Option<Vec<_>>>()?;
    let named = copy.exclude.is_none() && !parts.is_empty();
    let bytes = serde_json::to_vec(&(LISTED, parts, copy.parents)).ok().filter(|_| named)?;
    Some(Hasher::sha256(&bytes))
}

/// What `work` makes, in a child, of what a copy would copy, as far as that is here.
pub(super) fn with_trees<T: Serialize + DeserializeOwned>(
    scene: &Scene<'_>,
    copy: &Copy<'_>,
    work: impl FnOnce(&[(&Part<'_>, Vec<Tree>)]) -> Result<T, Report>,
) -> Result<T, Report> {
    let mut parts = copy.parts.iter().map(|part| Joined::new(scene, &part.side)).collect::<Result<Vec<_>, _>>()?;
    userns::inside(&scene.home, "rc: build", || {
        let mut found = Vec::new();
        for (part, joined) in copy.parts.iter().zip(&mut parts) {
            let is_here = part.later.is_none();
            found.push((part, if is_here { find(joined.open()?.as_fd(), part, copy)? } else { Vec::new() }));
        }
        work(&found)
    })
}

/// Copies files onto `lowers`, into `upper` of `directory`, and returns what has written that. Fails if they are not
/// those that were `listed`.
///
/// They are written straight into `upper`; archives are unpacked into an overlay, because they may replace directories.
pub(super) fn copy(
    scene: &Scene<'_>,
    copy: &Copy<'_>,
    listed_before: &Listed,
    lowers: &[PathBuf],
    directory: &Path,
) -> Result<Form, Report> {
    if listed_before.count < MANY {
        make(directory)?
    } else {
        make_far(directory)?
    }
    let mut parts = copy.parts.iter().map(|part| Joined::new(scene, &part.side)).collect::<Result<Vec<_>, _>>()?;
    let unpacks = copy.parts.iter().any(|part| part.unpack);
    let side = Side::Layers(lowers.to_vec());
    let mut below = Joined::new(scene, &side)?;
    let mut overlay = if unpacks { Some(Joined::onto(scene, lowers, directory)?) } else { None };
    let store = &scene.environment.store;
    // What sets times afterwards would set those of the former layer, too.
    let slot = copy.slot.as_ref().filter(|_| scene.newest.is_none());
    let former = slot.and_then(|slot| store.copied_layer(slot, &scene.target.map));
    userns::inside(&scene.home, "rc: build", || {
        let mut found = Vec::new();
        for (part, joined) in copy.parts.iter().zip(&mut parts) {
            let root = joined.open()?;
            let trees = find(root.as_fd(), part, copy)?;
            found.push((part, root, trees));
        }
        if listed(found.iter().map(|(part, _, trees)| (*part, &trees[..]))) != *listed_before {
            let report = Report::new(ReportKind::Conflict, "files were changed while they were copied");
            return Err(report.with_hint("build again when nothing writes to them"));
        }
        let count: usize = found.iter().map(|(_, _, trees)| trees.len()).sum();
        let is_directory = copy.destination.ends_with('/') || count == 1 && copy.parents;
        if count > 1 && !is_directory {
            return Err(copy::Error::NeedsDirectory(copy.destination.clone().into_bytes()).into());
        }
        let mut archives = Vec::new();
        for (part, from, trees) in &found {
            for tree in trees {
                archives.push(if part.unpack { archive::open(from.as_fd(), tree)? } else { None });
            }
        }
        let overlay = overlay.as_mut().filter(|_| archives.iter().any(Option::is_some));
        let form = if overlay.is_some() { scene.form } else { Form::Kernel };
        let (layer, root) = match overlay {
            Some(overlay) => (None, overlay.open()?),
            None => {
                let upper = directory.join("upper");
                runtime::adopt_root(&scene.at_least_one(lowers), &upper)?;
                // First the view, with its mount namespace: no file is linked from one mount to another.
                let view = below.open()?;
                (Some(fs::open_directory(&upper)?), view)
            }
        };
        let owner = copy.owner.as_ref().map(|user| owner(root.as_fd(), user)).transpose()?;
        let change = copy.mode.as_ref();
        let mode = |mode, is_directory| change.map_or(mode, |change| change.apply(mode, is_directory));
        let former = former.as_ref().and_then(|layer| Former::open(layer));
        let onto = match &layer {
            Some(layer) => Onto { layer: layer.as_fd(), below: Some(root.as_fd()) },
            None => Onto { layer: root.as_fd(), below: None },
        };
        let mut writer = Writer::new(onto, former.as_ref());
        let mut archives = archives.into_iter();
        for (part, from, trees) in &found {
            let is_of_host = matches!(part.side, Side::Directory(_));
            let path = Path::new(&copy.destination);
            let owner_there = owner.or(is_of_host.then_some((0, 0)));
            let destination = Destination { path, is_directory, owner: owner_there, mode: &mode };
            if layer.is_some() {
                writer.write(from.as_fd(), trees, &destination)?;
                continue;
            }
            for tree in trees {
                match archives.next().flatten() {
                    Some(archive) => archive::unpack(scene, archive, root.as_fd(), path, owner)?,
                    None => writer.write(from.as_fd(), std::slice::from_ref(tree), &destination)?,
                }
            }
        }
        let copied = writer.finish()?;
        if slot.is_some() && layer.is_some() {
            copied.write(&directory.join(COPIED))?;
        }
        Ok(form)
    })
}

/// Works with the files of one side, in a child that is root in the root namespace.
pub(super) fn read(
    scene: &Scene<'_>,
    side: &Side,
    work: impl FnOnce(BorrowedFd<'_>) -> Result<(), Report>,
) -> Result<(), Report> {
    let mut joined = Joined::new(scene, side)?;
    userns::inside(&scene.home, "rc: build", || work(joined.open()?.as_fd()))
}

/// Makes the directory `path` on `lowers`, into `upper` of `directory`, if it is missing. What is new belongs to
/// `user`, or to root if the image does not know them. Source: BuildKit, `dispatchWorkdir`.
pub(super) fn make_directory(
    scene: &Scene<'_>,
    path: &str,
    user: &str,
    lowers: &[PathBuf],
    directory: &Path,
) -> Result<(), Report> {
    make(directory)?;
    let mut onto = Joined::onto(scene, lowers, directory)?;
    userns::inside(&scene.home, "rc: build", || {
        let root = onto.open()?;
        let owner = owner(root.as_fd(), user).ok().filter(|owner| *owner != (0, 0));
        let owner = owner.filter(|_| scene.target.ownership != Ownership::Single);
        rustix::process::umask(rustix::fs::Mode::empty());
        let mut above = PathBuf::new();
        for component in Path::new(path).components() {
            above.push(component);
            let is_new = crate::sys::root::find(root.as_fd(), &above).is_err();
            let made = make_directories(root.as_fd(), &above, &|_, _| Ok::<_, std::io::Error>(()));
            let made = made.at("create", path)?;
            if let Some((uid, gid)) = owner.filter(|_| is_new) {
                chownat(&made, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH)
                    .at("set the owner of", path)?;
            }
        }
        Ok::<_, Report>(())
    })
}

/// Whom `USER` or `--chown` names. A number alone is also the group's. Source: BuildKit, `solver/llbsolver/file`,
/// `readUser`.
fn owner(root: BorrowedFd<'_>, user: &str) -> Result<(u32, u32), Report> {
    if let Ok(number) = user.parse::<u32>() {
        return Ok((number, number));
    }
    let found = users::look_up(root, user, &[])?;
    Ok((found.uid, found.gid))
}

/// Makes a layer of `upper` in `directory`, on `lowers`, which is of this form; `None` if nothing was changed.
pub(super) fn keep(
    scene: &Scene<'_>,
    lowers: &[PathBuf],
    directory: &Path,
    form: Form,
) -> Result<Option<Descriptor>, Report> {
    let store = &scene.environment.store;
    userns::inside(&scene.home, "rc: build", || {
        let upper = directory.join("upper");
        if let Some(newest) = scene.newest {
            let files = fs::open_directory(&upper)?.into();
            build::times::bound(&files, newest).at("set the times of", &upper)?;
        }
        let root = runtime::describes_root(lowers, &upper)?;
        store.keep_layer(&upper, &scene.target, form, root)
    })
}

/// Unpacks a layer that was kept for other IDs.
pub(super) fn unpack_kept(scene: &Scene<'_>, layer: &Descriptor) -> Result<(), Report> {
    let store = &scene.environment.store;
    userns::inside(&scene.home, "rc: unpack", || {
        store.unpack_blob(&layer.digest, &layer.digest, &scene.target).map(drop).map_err(Report::from)
    })
}

/// The root of one side of a copy. Made in this process, opened in the child.
enum Joined<'a> {
    Directory(&'a Path),
    /// Layers, to be read.
    View(Vec<PathBuf>, PathBuf),
    /// Layers and an upper directory.
    Overlay(Rootfs),
    /// Either, by fuse-overlayfs, which serves it until this is dropped.
    Served(FuseOverlay, PathBuf),
}

impl<'a> Joined<'a> {
    fn new(scene: &Scene<'_>, side: &'a Side) -> Result<Self, Report> {
        let lowers = match side {
            Side::Directory(path) => return Ok(Self::Directory(path)),
            Side::Layers(lowers) => scene.at_least_one(lowers),
        };
        // Nothing but a mount point, and the empty part of an overlay that nobody writes to.
        let directory = scene.new_directory("view")?;
        make(&directory)?;
        Ok(if scene.form == Form::Fuse {
            Self::Served(container::serve(scene.environment, &lowers.into(), &directory, &scene.home)?, directory)
        } else {
            Self::View(lowers, directory)
        })
    }

    fn onto(scene: &Scene<'_>, lowers: &[PathBuf], directory: &Path) -> Result<Self, Report> {
        let lowers = scene.at_least_one(lowers);
        let directory = directory.to_owned();
        Ok(if scene.form == Form::Fuse {
            Self::Served(container::serve(scene.environment, &lowers.into(), &directory, &scene.home)?, directory)
        } else {
            Self::Overlay(Rootfs::Overlay { layers: lowers.into(), directory, volatile: true })
        })
    }

    fn open(&mut self) -> Result<OwnedFd, Report> {
        match self {
            Self::Directory(path) => Ok(fs::open_directory(path)?.into()),
            Self::View(lowers, directory) => Ok(runtime::view_apart(lowers, directory)?),
            Self::Overlay(root) => Ok(runtime::mount_apart(root, Apart::default())?),
            Self::Served(served, directory) => {
                let mount = served.take_mount();
                let mount = mount.ok_or_else(|| Report::new(ReportKind::Internal, "fuse-overlayfs has no mount"))?;
                let root = Rootfs::Detached { mount, directory: directory.clone() };
                Ok(runtime::mount_apart(&root, Apart::default())?)
            }
        }
    }
}

fn find(root: BorrowedFd<'_>, part: &Part<'_>, copy: &Copy<'_>) -> Result<Vec<Tree>, Report> {
    let memo = part.memo.as_deref().map(|path| RefCell::new(Memo::read(path)));
    let mut trees = copy::find(root, &part.sources, part.ignore, memo.as_ref())?;
    if let (Some(memo), Some(path)) = (memo, &part.memo) {
        // Without it the next build takes longer.
        memo.borrow().write(path).unwrap_or_default();
    }
    for tree in &mut trees {
        if let Some(exclude) = &copy.exclude {
            tree.leave_out(exclude);
        }
        if copy.parents {
            tree.name_whole();
        }
    }
    trees.retain(|tree| !tree.items.is_empty());
    Ok(trees)
}

fn listed<'a>(parts: impl Iterator<Item = (&'a Part<'a>, &'a [Tree])>) -> Listed {
    let (mut count, mut bytes, mut is_live, mut directories) = (0, Vec::new(), false, 0);
    for (part, trees) in parts {
        // What is not here yet is known by its identity.
        let identity = part.later.as_ref().map(|later| later.identity.as_bytes());
        bytes.push(u8::from(identity.is_some()));
        bytes.extend_from_slice(&identity.map_or(0, <[u8]>::len).to_le_bytes());
        bytes.extend_from_slice(identity.unwrap_or_default());
        if identity.is_none() {
            count += trees.iter().map(|tree| tree.items.len()).sum::<usize>();
            let has_fifo = |tree: &Tree| tree.items.iter().any(|item| item.kind == ItemKind::Fifo);
            directories += trees.iter().filter(|tree| tree.is_directory()).count();
            is_live |= trees.iter().any(|tree| tree.has_more || has_fifo(tree));
            copy::compared(trees, &mut bytes);
        }
    }
    Listed { digest: Hasher::sha256(&bytes), count, is_live, is_file: count == 1 && directories == 0 }
}

/// Makes the directory of a cache. The mode is 0755 and the owner root, unless the mount says otherwise.
pub(super) fn new_cache(scene: &Scene<'_>, path: &Path, owner: Owner) -> Result<(), Report> {
    userns::inside(&scene.home, "rc: build", || {
        let aside = path.with_file_name("data.new");
        match fs::remove_dir(&aside) {
            Err(error) if !error.is_not_found() => return Err(Report::from(error)),
            _ => fs::create_dir(&aside)?,
        }
        let owned = (owner.uid.map(Uid::from_raw), owner.gid.map(Gid::from_raw));
        rustix::fs::chown(&aside, owned.0, owned.1).at("set the owner of", &aside)?;
        let mode = rustix::fs::Mode::from_raw_mode(owner.mode.unwrap_or(0o755));
        rustix::fs::chmod(&aside, mode).at("set the mode of", &aside)?;
        Ok(fs::rename(&aside, path)?)
    })
}
