//! The store: one directory, private to one user, that several rc processes use at once.
//!
//! ```text
//! ROOT/                     ~/.local/share/rc, 0700, files 0600
//!   version                 the format's number, written last: if it exists, so do the directories
//!   lock                    the store's lock, held briefly: shared by a process that starts to use an image, exclusive
//!                           by one that changes index.json or removes what nothing refers to
//!   ingest.lock             shared while blobs and layers are added that no image names yet; garbage is
//!                           collected only when it is free
//!   ids.lock                held while a container gets IDs that no other has, until its record names them
//!   sweep.lock              held by the one process that sweeps in the background; not empty if it has left something
//!   images/                 a standard OCI image layout: oci-layout, index.json, blobs/ALGORITHM/HEX
//!   layers/MAP/ALG-HEX/     one layer, unpacked for one ID map: fs/, and owners if everything is stored as the user
//!   containers/ names/ volumes/ secrets/
//!   events.log              what happens, a line each; events.log.1 is the one before
//!   tmp/                    unfinished; its creator holds a flock on it, so a free lock means that the creator is dead
//!   trash/                  waits to be removed
//! ```
//!
//! Nothing unfinished has a name outside `tmp/`: it is checked, synced and only then renamed. What a pull brings is
//! synced later (`layer::record`): it can be pulled again, and its readers notice. Locks are taken in
//! this order: `ingest.lock`, blob and layer stages, `lock`, volumes; ARCHITECTURE.md has those of containers, too.

mod audit;
mod blob;
mod builders;
mod cache_mounts;
pub(crate) mod changes;
mod compress;
mod copies;
mod descriptor;
pub(crate) mod escape;
pub(crate) mod events;
mod fetched;
mod forgotten;
mod hash;
mod index;
mod ingest;
mod intake;
pub(crate) mod layer;
mod links;
mod listings;
mod lists;
mod memos;
mod merge;
pub(crate) mod pack;
mod remove;
mod scratch;
pub(crate) mod secrets;
mod slots;
mod stage;
mod steps;
mod sweep;
pub(crate) mod tar;
mod unique;
pub(crate) mod unpack;
mod usage;
pub(crate) mod volumes;
mod whole;

use std::path::{Path, PathBuf};

use rustix::process::geteuid;

pub(crate) use audit::{Odd, Repair};
pub(crate) use blob::{BlobWriter, MANIFEST_LIMIT};
pub(crate) use cache_mounts::CacheMount;
pub(crate) use compress::{Compression, HEAD, decompress};
pub(crate) use descriptor::{Descriptor, Platform};
pub(crate) use fetched::{Fetched, FetchedPart};
pub(crate) use forgotten::Forgotten;
pub(crate) use hash::Hasher;
pub(crate) use index::{IndexEntry, OCI_INDEX, REF_NAME, history};
pub(crate) use ingest::{GarbageMark, Ingest};
pub(crate) use intake::{Intake, Waiting};
pub(crate) use layer::mapped;
pub(crate) use layer::{COPIED, Form, Naming, Ownership, Target, read_in_layers};
pub(crate) use links::may_be_linked;
pub(crate) use memos::ContextMemo;
pub(crate) use merge::merge;
pub(crate) use remove::remove_tree;
pub(crate) use scratch::Scratch;
pub(crate) use slots::SlotHead;
pub(crate) use steps::StepRecord;
pub(crate) use sweep::Reachable;
pub(crate) use usage::{disk_bytes, tree_bytes};

use crate::sys::fs::{self, AtPath as _, Durability, PathError};
use crate::sys::lock::FileLock;
use crate::types::{Digest, Report, ReportKind};

/// The format of the store that this rc writes.
const VERSION: u32 = 1;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file operation failed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A newer rc has written the store.
    #[error("the store `{}` has format {found}, this rc writes format {VERSION}", .root.display())]
    Newer {
        /// The store.
        root: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The directory has not the marks of a store.
    #[error("`{}` is not a store of rc: it has no `version` and no image layout", .root.display())]
    NoStore {
        /// The directory.
        root: PathBuf,
    },
    /// The directory has files that rc did not make.
    #[error("`{}` cannot become a store: there are other files in it", .root.display())]
    Occupied {
        /// The directory.
        root: PathBuf,
    },
    /// `version` does not contain a number.
    #[error("the store `{}` is damaged: its `version` is not a number", .root.display())]
    BadVersion {
        /// The store.
        root: PathBuf,
    },
    /// The store's directory belongs to another user.
    #[error("the store `{}` belongs to user {owner}, not to user {user}", .root.display())]
    Foreign {
        /// The store.
        root: PathBuf,
        /// Its owner.
        owner: u32,
        /// The user that runs rc.
        user: u32,
    },
    /// Content does not match its digest.
    #[error("content has digest `{actual}`, expected `{expected}`")]
    DigestMismatch {
        /// The digest asked for.
        expected: Digest,
        /// The digest of the content.
        actual: Digest,
    },
    /// A blob of the store has changed since it was named.
    #[error("blob `{digest}` in the store is damaged: its content has digest `{actual}`")]
    DamagedBlob {
        /// The blob.
        digest: Digest,
        /// The digest of its content now.
        actual: Digest,
    },
    /// Content is longer or shorter than its descriptor says.
    #[error("blob `{digest}` has {}, expected {expected} bytes", bytes(*.actual, *.expected))]
    SizeMismatch {
        /// The blob.
        digest: Digest,
        /// Bytes according to the descriptor.
        expected: u64,
        /// Bytes received; reading stops at one more than expected.
        actual: u64,
    },
    /// A document is larger than rc accepts in memory.
    #[error("`{digest}` has more than {limit} bytes")]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// The limit in bytes.
        limit: u64,
    },
    /// The blob is not in the store.
    #[error("blob `{digest}` is not in the store")]
    NoBlob {
        /// The blob.
        digest: Digest,
    },
    /// The sender of a blob failed.
    #[error("cannot receive blob `{digest}`: {}", fs::plain(.source))]
    Receive {
        /// The blob.
        digest: Digest,
        /// Its error.
        source: std::io::Error,
    },
    /// A layer could not be unpacked.
    #[error("cannot unpack layer `{diff_id}`: {source}")]
    Layer {
        /// Its diff ID.
        diff_id: Digest,
        /// The cause.
        source: layer::Error,
    },
    /// An archive that was to become a layer could not be unpacked.
    #[error("cannot unpack the archive: {source}")]
    Import {
        /// The cause.
        source: layer::Error,
    },
    /// A document does not parse.
    #[error("cannot parse {what}: {source}")]
    Json {
        /// The document, in words for a message.
        what: String,
        /// Where and why.
        source: serde_json::Error,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::Layer { source, .. } | Error::Import { source } => return Self::from(source).with_message(message),
            Error::Newer { .. } => ReportKind::Unsupported,
            Error::Foreign { .. } => ReportKind::Denied,
            Error::Receive { ref source, .. } => ReportKind::of_step(source),
            Error::NoStore { .. } => ReportKind::Invalid,
            Error::Occupied { .. } => ReportKind::Conflict,
            Error::BadVersion { .. }
            | Error::DigestMismatch { .. }
            | Error::DamagedBlob { .. }
            | Error::SizeMismatch { .. }
            | Error::TooLarge { .. }
            | Error::NoBlob { .. }
            | Error::Json { .. } => ReportKind::Damaged,
        };
        Self::new(kind, message).with_hint_of(error.hint())
    }
}

impl Error {
    /// How the user can fix it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Newer { .. } => {
                Some("use the version of rc that wrote it, or another store: `--root DIR`".to_owned())
            }
            Self::Foreign { .. } => Some("run rc as that user, or use another store: `--root DIR`".to_owned()),
            Self::DamagedBlob { .. } | Self::NoBlob { .. } => Some("pull the image again: `rc pull IMAGE`".to_owned()),
            Self::NoStore { .. } => Some("rc removes only what it has made; name its store: `--root DIR`".to_owned()),
            Self::Occupied { .. } => {
                Some("name an empty directory or one that does not exist: `--root DIR`".to_owned())
            }
            Self::Layer { source, .. } | Self::Import { source } => source.hint(),
            _ => None,
        }
    }
}

fn bytes(actual: u64, expected: u64) -> String {
    if actual > expected { "more bytes".to_owned() } else { format!("{actual} bytes") }
}

/// The store of one user; cheap to create and to clone, holds no lock.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    root: PathBuf,
    /// Whether events are written to it.
    has_events: bool,
}

impl Store {
    /// Opens the store at `root` for reading and writing, and creates it if it does not exist.
    ///
    /// Takes one stat and reads one small file. Fails if another user owns the directory or if a newer rc has written
    /// it.
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        let store = Self { root: root.to_owned(), has_events: false };
        match fs::read_record(root.join("version"), 32) {
            Ok(text) => {
                store.check_owner()?;
                store.check_version(&text)?;
            }
            Err(error) if error.is_not_found() => store.create()?,
            Err(error) => return Err(error.into()),
        }
        Ok(store)
    }

    /// Opens the store at `root` for reading: creates nothing, and accepts any version. Missing files read as empty, so
    /// that `ps` and `images` work in a read-only home and before the first image.
    pub(crate) fn open_to_read(root: &Path) -> Result<Self, Error> {
        let store = Self { root: root.to_owned(), has_events: false };
        match store.check_owner() {
            Err(Error::Path(error)) if error.is_not_found() => Ok(store),
            other => other.map(|()| store),
        }
    }

    fn check_owner(&self) -> Result<(), Error> {
        use std::os::unix::fs::MetadataExt as _;
        let owner = fs::metadata(&self.root)?.uid();
        let user = geteuid().as_raw();
        if owner == user { Ok(()) } else { Err(Error::Foreign { root: self.root.clone(), owner, user }) }
    }

    fn check_version(&self, text: &[u8]) -> Result<(), Error> {
        let found = std::str::from_utf8(text).ok().and_then(|text| text.trim_end().parse::<u32>().ok());
        match found {
            Some(found) if found > VERSION => Err(Error::Newer { root: self.root.clone(), found }),
            Some(_) => Ok(()),
            None => Err(Error::BadVersion { root: self.root.clone() }),
        }
    }

    /// Creates the directories. Several processes may do so at once: an existing one is no error.
    fn create(&self) -> Result<(), Error> {
        fs::create_dir_all(&self.root)?;
        self.check_owner()?;
        // Sweeps and `system reset` remove files there. Another process may have made the store just now.
        if self.is_occupied()? && fs::symlink_metadata(self.root.join("version")).is_err() {
            return Err(Error::Occupied { root: self.root.clone() });
        }
        // An existing directory may be open to others: they must not reach the setuid files of images.
        rustix::fs::chmod(&self.root, rustix::fs::Mode::RWXU).at("make private", &self.root)?;
        for directory in [
            self.images().join("blobs/sha256"),
            self.root.join("layers"),
            self.containers(),
            self.names(),
            self.volumes(),
            self.tmp(),
            self.trash(),
        ] {
            fs::create_dir_all(directory)?;
        }
        let _lock = self.lock_exclusive()?;
        let layout = self.images().join("oci-layout");
        fs::replace(layout, br#"{"imageLayoutVersion":"1.0.0"}"#, Durability::Synced)?;
        if !self.index_path().exists() {
            fs::replace(self.index_path(), index::EMPTY, Durability::Synced)?;
        }
        fs::replace(self.root.join("version"), format!("{VERSION}\n").as_bytes(), Durability::Synced)?;
        Ok(())
    }

    /// The store's directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// One directory per container, named by its ID.
    pub(crate) fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// Links from a container's name to its ID.
    pub(crate) fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    /// One directory per volume.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// The directory for unfinished files.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The directory for what waits to be removed.
    pub(crate) fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// The OCI image layout.
    pub(crate) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    fn index_path(&self) -> PathBuf {
        self.root.join("images/index.json")
    }

    /// Waits for the store's lock, to find an image and keep it: until the lock is dropped, nothing is removed. Hold it
    /// briefly, from finding the image until the container's record names it.
    pub(crate) fn lock_shared(&self) -> Result<FileLock, Error> {
        Ok(FileLock::shared(self.root.join("lock"))?)
    }

    /// Waits for the lock of those who give a container IDs that no other has: hold it from looking at the other
    /// containers until its own record names the IDs. It comes after `lock`.
    pub(crate) fn lock_ids(&self) -> Result<FileLock, Error> {
        Ok(FileLock::exclusive(self.root.join("ids.lock"))?)
    }

    /// Waits for the store's lock, to change what refers to what.
    pub(crate) fn lock_exclusive(&self) -> Result<FileLock, Error> {
        Ok(FileLock::exclusive(self.root.join("lock"))?)
    }
}

#[cfg(test)]
pub(crate) mod tests;
