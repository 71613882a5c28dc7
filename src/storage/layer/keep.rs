//! Keeping the writable layer of a container as a layer of an image: by renaming it. Its archive is written once, for
//! its digest and its blob.

use std::ffi::OsStr;
use std::fs::File;
use std::io::BufWriter;
use std::os::fd::AsFd as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Info, LayerStage, Naming, Skipped, Target, UnpackedLayer, record};
use crate::storage::pack::{self, Contents, Owner, Pack};
use crate::storage::{Descriptor, Error, Store};
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::types::{Digest, Report};

/// The size of buffers, in bytes.
const BUFFER: usize = 256 << 10;

/// The table of what a step of a build has copied, beside the files that it has written.
pub(crate) const COPIED: &str = "copied";

/// Which filesystem has written an upper directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Form {
    /// The kernel's overlay.
    Kernel,
    /// fuse-overlayfs.
    Fuse,
}

impl Store {
    /// Makes a layer of the directory `upper` of an overlay that is not mounted for writing any more, and moves it to
    /// its place; an upper directory of fuse-overlayfs, which says in its own way what is hidden, is unpacked again.
    /// With `root` the layer describes its root directory, too. `None` if there is nothing in it.
    ///
    /// This process must be root in the root namespace, or own everything. Layer and blob get their names without
    /// waiting for the disk: [`Store::sync_layers`] follows. On failure no layer is left, and perhaps no `upper`.
    pub(crate) fn keep_layer(
        &self,
        upper: &Path,
        target: &Target,
        form: Form,
        root: bool,
    ) -> Result<Option<Descriptor>, Report> {
        let files = fs::open_directory(upper)?;
        let mut names = fs::read_dir(upper)?;
        if !root && names.next().is_none() {
            return Ok(None);
        }
        let contents = match form {
            Form::Kernel => Contents::Kept { root },
            // Its own names hide files.
            Form::Fuse => Contents::Layer { root },
        };
        let blob = self.pack_layer(&files, contents)?;
        match form {
            Form::Kernel => {
                let (digest, size) = (blob.digest.clone(), blob.size);
                self.new_layer(target)?.adopt(upper, digest, size, root)?.name(Naming::Unsynced)?;
            }
            Form::Fuse => drop(self.unpack_blob(&blob.digest, &blob.digest, target)?),
        }
        Ok(Some(blob))
    }

    fn pack_layer(&self, files: &File, contents: Contents) -> Result<Descriptor, Report> {
        let how = Pack { name: b"", contents, owner: Owner::Own };
        let mut blob = self.new_blob()?;
        if let Err(error) =
            pack::pack(files.as_fd(), OsStr::new("."), &how, BufWriter::with_capacity(BUFFER, &mut blob))
        {
            blob.discard()?;
            return Err(error.into());
        }
        let (digest, size) = blob.finish(Naming::Unsynced)?;
        Ok(Descriptor::new("", digest, size))
    }

    /// Whether a layer that was kept is still here: for this map, and as a blob of this size.
    pub(crate) fn has_kept_layer(&self, map: &str, layer: &Descriptor) -> Result<bool, PathError> {
        Ok(self.has_layer(map, &layer.digest)? && self.has_blob(&layer.digest, layer.size).unwrap_or(false))
    }
}

impl LayerStage {
    /// Moves the files of a layer here whose archive has this digest and size.
    fn adopt(self, files: &Path, diff_id: Digest, size: u64, root: bool) -> Result<UnpackedLayer, Error> {
        fs::rename(files, self.path.join("fs"))?;
        match fs::rename(files.with_file_name(COPIED), self.path.join(COPIED)) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        if root {
            fs::write(self.path.join("root"), "")?;
        }
        let info = Info { size, skipped: Skipped::default() };
        record::write(&self.lock, info).at("write the record of", &self.path)?;
        Ok(UnpackedLayer { stage: self, diff_id, info })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Ownership;

    #[test]
    fn a_kept_layer_is_the_one_that_its_archive_unpacks_to() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let target = Target { map: "test".to_owned(), ownership: Ownership::Single };
        let upper = |name: &str| {
            let upper = home.path().join(name);
            fs::create_dir_all(upper.join("d")).expect("made");
            fs::write(upper.join("d/file"), "content").expect("written");
            for path in ["d/file", "d"] {
                let time = rustix::fs::Timespec { tv_sec: 1_000_000, tv_nsec: 5 };
                let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
                let file = fs::open(upper.join(path)).expect("opens");
                rustix::fs::futimens(&file, &times).expect("set");
            }
            upper
        };
        let kept = store.keep_layer(&upper("one"), &target, Form::Kernel, false).expect("kept").expect("not empty");
        assert!(!home.path().join("one").exists(), "it was moved");
        assert!(store.has_kept_layer("test", &kept).expect("looks"));
        let files = store.layer_path("test", &kept.digest).join("fs");
        assert_eq!(fs::read_to_string(files.join("d/file")).expect("reads"), "content");
        // The same once more: the digest is that of the content alone, and the name is taken.
        let again = store.keep_layer(&upper("two"), &target, Form::Kernel, false).expect("kept").expect("not empty");
        assert_eq!(again, kept);
        assert!(fs::read_dir(store.tmp()).expect("reads").next().is_none(), "nothing is left");
        let archive = store.open_blob(&kept.digest).expect("a blob");
        let other = Target { map: "other".to_owned(), ownership: Ownership::Single };
        let (_, diff_id, _) = store.import_layer(archive, &other).expect("imports");
        assert_eq!(diff_id, kept.digest);
    }

    #[test]
    fn what_an_archive_has_not_is_not_in_the_kept_layer_either() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let target = Target { map: "test".to_owned(), ownership: Ownership::Single };
        let upper = home.path().join("upper");
        fs::create_dir_all(upper.join("run")).expect("made");
        drop(std::os::unix::net::UnixListener::bind(upper.join("run/socket")).expect("bound"));
        fs::write(upper.join("file"), "x").expect("written");
        let kept = store.keep_layer(&upper, &target, Form::Kernel, false).expect("kept").expect("not empty");
        let files = store.layer_path("test", &kept.digest).join("fs");
        assert!(fs::read_dir(files.join("run")).expect("reads").next().is_none(), "the socket is gone");
        assert!(files.join("file").exists());
        // In an archive this name would remove a file of a layer below.
        fs::create_dir_all(upper.join("etc")).expect("made");
        fs::write(upper.join("etc/.wh.passwd"), "").expect("written");
        let refused = store.keep_layer(&upper, &target, Form::Kernel, false).expect_err("refused");
        assert!(refused.message.contains("`etc/.wh.passwd` cannot be in a layer"), "{}", refused.message);
        let left = fs::read_dir(store.tmp()).expect("reads").count();
        assert_eq!(left, 0, "nothing of it is stored");
    }

    #[test]
    fn a_layer_without_files_is_none_unless_its_root_is_another() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let target = Target { map: "test".to_owned(), ownership: Ownership::Single };
        let upper = home.path().join("upper");
        fs::create_dir(&upper).expect("made");
        assert_eq!(store.keep_layer(&upper, &target, Form::Kernel, false).expect("looked"), None);
        assert!(upper.exists());
        let kept = store.keep_layer(&upper, &target, Form::Kernel, true).expect("kept").expect("a layer");
        assert!(store.layer_path("test", &kept.digest).join("root").exists());
    }
}
