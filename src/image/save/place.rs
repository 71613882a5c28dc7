//! Where files of an image are written to: an archive, or a directory.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tar::{Builder, EntryType, Header};

use crate::image::Error;
use crate::storage::MANIFEST_LIMIT;
use crate::sys::fs::{self, AtPath as _};
use crate::sys::lock::FileLock;
use crate::sys::replacement::Replacement;
use crate::types::json;

/// Takes the files of images, each once.
pub(super) trait Place {
    /// Makes a directory; its name ends with `/`.
    fn directory(&mut self, name: &str) -> Result<(), Error>;

    /// Writes a file of `size` bytes. An error of the content is the source of a `Write`.
    fn stream(&mut self, name: &str, size: u64, content: impl Read) -> Result<(), Error>;

    /// Writes a small file.
    fn file(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        self.stream(name, content.len() as u64, content)
    }

    /// The entries of the index.json that is already there. Nobody else changes it until this is dropped.
    fn listed(&mut self) -> Result<Vec<Value>, Error> {
        Ok(Vec::new())
    }
}

/// A tar archive: the same for the same images, without times and users.
pub(super) struct Tar<W: Write>(Builder<W>);

impl<W: Write> Tar<W> {
    /// Writes to `output`.
    pub(super) fn new(output: W) -> Self {
        Self(Builder::new(output))
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> Result<(), Error> {
        let written = |source| Error::Write { source };
        self.0.into_inner().map_err(written)?.flush().map_err(written)
    }
}

impl<W: Write> Place for Tar<W> {
    fn directory(&mut self, name: &str) -> Result<(), Error> {
        let mut header = header(name, 0)?;
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_cksum();
        self.0.append(&header, io::empty()).map_err(|source| Error::Write { source })
    }

    fn stream(&mut self, name: &str, size: u64, content: impl Read) -> Result<(), Error> {
        self.0.append(&header(name, size)?, content).map_err(|source| Error::Write { source })
    }
}

fn header(name: &str, size: u64) -> Result<Header, Error> {
    let mut header = Header::new_ustar();
    header.set_path(name).map_err(|source| Error::Write { source })?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

/// A directory, in which each file is replaced as a whole.
pub(super) struct Directory {
    path: PathBuf,
    lock: Option<FileLock>,
}

impl Directory {
    /// Makes the directory unless it exists.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        fs::create_dir_with(path, 0o777).or_else(|error| match fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(()),
            _ => Err(error),
        })?;
        Ok(Self { path: path.to_owned(), lock: None })
    }
}

impl Place for Directory {
    fn directory(&mut self, name: &str) -> Result<(), Error> {
        Self::create(&self.path.join(name.trim_end_matches('/'))).map(drop)
    }

    fn stream(&mut self, name: &str, _: u64, mut content: impl Read) -> Result<(), Error> {
        let path = self.path.join(name);
        let mut file = Replacement::begin(&path, 0o666)?;
        match io::copy(&mut content, &mut file) {
            Ok(_) => Ok(file.finish()?),
            // An error of a file has a number; the check of a blob has none, and is told apart by the caller.
            Err(error) if error.raw_os_error().is_some() => Err(error).at("write", path)?,
            Err(source) => Err(Error::Write { source }),
        }
    }

    fn listed(&mut self) -> Result<Vec<Value>, Error> {
        #[derive(Deserialize)]
        struct Index {
            #[serde(default)]
            manifests: Vec<Value>,
        }
        self.lock = Some(FileLock::of_directory(&self.path)?);
        let path = self.path.join("index.json");
        match fs::read_regular(&path, MANIFEST_LIMIT) {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error.into()),
            Ok(bytes) => {
                let index: Index = json::from_slice(&bytes)
                    .map_err(|error| Error::Document { name: path.display().to_string(), reason: error.to_string() })?;
                Ok(index.manifests)
            }
        }
    }
}
