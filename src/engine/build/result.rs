//! What becomes of the target: files in a directory or an archive, an image with fewer layers.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::thread;

use super::Scene;
use super::files::{self, Side};
use super::overlay;
use super::request::{Export, Squash};
use super::stage::Stage;
use crate::image::History;
use crate::storage::pack::{self, Contents, Owner, Pack};
use crate::storage::tar::Reader;
use crate::storage::unpack::{self, Owners, Unpack};
use crate::storage::{Form, merge};
use crate::sys::fs::{self, AtPath as _};
use crate::sys::replacement::Output;
use crate::types::{Report, ReportKind};
use crate::userns;

/// The size of buffers, in bytes.
const BUFFER: usize = 256 << 10;

/// How the files of a stage are packed: everything, without a name at its beginning.
const FILES: Pack<'_> = Pack { name: b"", contents: Contents::Files { stay: false }, owner: Owner::Own };

/// Writes the files of the target. An archive gets its name when it is complete; in a directory a part may be there if
/// this fails. They go into the directory `inner` of a directory, if there is one: `linux_amd64`, as with BuildKit.
pub(super) fn export(scene: &Scene<'_>, stage: &Stage, export: &Export, inner: Option<&str>) -> Result<(), Report> {
    let side = Side::Layers(stage.lowers(scene));
    match export {
        Export::Directory(path) => {
            let path = scene.caller.working_dir.join(path).join(inner.unwrap_or_default());
            fs::create_dir_all(&path)?;
            let into = fs::open_directory(&path)?;
            files::read(scene, &side, |root| copy_out(root, &into))
        }
        Export::File(path) => {
            let path = scene.caller.working_dir.join(path);
            let mut output = Output::open(&path, 0o666)?;
            files::read(scene, &side, |root| pack_files(root, &mut output))?;
            Ok(output.finish()?)
        }
        Export::Stream(file) => files::read(scene, &side, |root| pack_files(root, file)),
    }
}

fn pack_files(root: BorrowedFd<'_>, out: impl io::Write) -> Result<(), Report> {
    pack::pack(root, ".".as_ref(), &FILES, BufWriter::with_capacity(BUFFER, out))?;
    Ok(())
}

/// Copies all files into a directory of the user's, whose they are then. This forked child may start a thread.
fn copy_out(root: BorrowedFd<'_>, into: &File) -> Result<(), Report> {
    let (read, write) = io::pipe().at("create", "a pipe")?;
    thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let mut out = BufWriter::with_capacity(BUFFER, write);
            let packed = pack::pack(root, ".".as_ref(), &FILES, &mut out);
            packed.and_then(|_| out.flush().map_err(pack::Error::Write))
        });
        let how = Unpack { base: Path::new(""), rename: None, top: None, owners: Owners::Me, overwrite: false };
        let mut archive = Reader::new(BufReader::with_capacity(BUFFER, read));
        let unpacked = unpack::unpack(into.as_fd(), &mut archive, &how)
            .and_then(|_| archive.finish().map(drop).map_err(unpack::Error::Archive));
        let packed = packing.join().map_err(|_| Report::new(ReportKind::Internal, "a thread has panicked"))?;
        match (unpacked, packed) {
            // It is the cause if there was no archive to unpack.
            (Err(unpack::Error::Archive(_)) | Ok(()), Err(error)) => Err(error.into()),
            (unpacked, _) => unpacked.map_err(|error| {
                let Report { kind, message, .. } = error.into();
                Report::new(kind, message)
            }),
        }
    })
}

/// Makes one layer of those of this build, or of all. The history says that it comes from the last instruction.
pub(super) fn squash(scene: &Scene<'_>, stage: &mut Stage, which: Squash) -> Result<(), Report> {
    let (layers, entries) = match which {
        Squash::New => stage.inherited,
        Squash::All => (0, 0),
    };
    let lowers = stage.lowers(scene);
    let (below, merged) = lowers.split_at(layers.min(lowers.len()));
    if merged.len() < 2 {
        return Ok(());
    }
    let directory = scene.new_directory("squash")?;
    overlay::make(&directory)?;
    let layer = keep(scene, below, merged, &directory)?;
    stage.config.rootfs.diff_ids.truncate(layers);
    stage.layers.truncate(layers);
    let history = &mut stage.config.history;
    let entries = entries.min(history.len());
    history[entries..].iter_mut().for_each(|entry| entry.empty_layer = true);
    if layer.is_some() {
        match history[entries..].last_mut() {
            Some(entry) => entry.empty_layer = false,
            None => history.push(History { created: stage.config.created.clone(), ..History::default() }),
        }
    }
    stage.push(layer.as_ref());
    Ok(())
}

fn keep(
    scene: &Scene<'_>,
    below: &[PathBuf],
    merged: &[PathBuf],
    directory: &Path,
) -> Result<Option<crate::storage::Descriptor>, Report> {
    let store = &scene.environment.store;
    userns::inside(&scene.home, "rc: build", || {
        let upper = directory.join("upper");
        let root = merge(merged, &upper, below.is_empty())?;
        // What is in layers has the kernel's form, whatever joins them here.
        store.keep_layer(&upper, &scene.target, Form::Kernel, root)
    })
}
