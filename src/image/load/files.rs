//! The files of an archive, or of a directory, by name.

use std::collections::HashMap;
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::image::Error;
use crate::image::foreign::{Use, expect_archive};
use crate::registry::SIGNATURES;
use crate::storage::tar::{Kind, Reader};
use crate::storage::{Descriptor, Intake, MANIFEST_LIMIT, Store, Waiting, decompress};
use crate::sys::fs::AtPath as _;
use crate::sys::root::open_in;
use crate::types::{Algorithm, Digest};

/// The maximum number of links from one name in an archive to another.
const MOST_LINKS: usize = 8;

/// The most bytes of names and links in an archive: some hundred thousand layers.
const MOST_NAMES: usize = 16 << 20;

/// The bytes that each name takes besides.
const ENTRY: usize = 64;

/// The manifest of an image in a `dir:`.
const DIR_MANIFEST: &str = "manifest.json";

/// The beginning of the names of the signatures in a `dir:`, which are numbered from 1.
const DIR_SIGNATURE: &str = "signature-";

pub(super) struct Files {
    pub(super) intake: Intake,
    files: HashMap<Vec<u8>, Waiting>,
    /// Names that are links, and their targets.
    links: HashMap<Vec<u8>, Vec<u8>>,
    /// The bytes that the names have taken so far.
    taken: usize,
}

impl Files {
    fn new(store: &Store) -> Result<Self, Error> {
        Ok(Self { intake: store.new_intake()?, files: HashMap::new(), links: HashMap::new(), taken: 0 })
    }

    /// Reads all files of an archive.
    pub(super) fn from_archive(store: &Store, input: impl Read + Send) -> Result<Self, Error> {
        let read_failed = |source| Error::Read { source };
        let input = expect_archive(decompress(input).map_err(read_failed)?, Use::Images)?;
        let input = io::BufReader::with_capacity(256 << 10, input);
        let mut files = Self::new(store)?;
        let mut archive = Reader::new(input);
        while let Some(entry) = archive.next_entry()? {
            let name = key(&entry.path);
            files.taken += name.len() + entry.link.len() + ENTRY;
            if files.taken > MOST_NAMES {
                // What to do with one is known by now, and does not depend on the rest.
                return if files.is_filesystem() { Ok(files) } else { Err(Error::TooManyNames) };
            }
            match entry.kind {
                Kind::File if entry.pieces.is_none() => {
                    let mut incoming = files.intake.begin(algorithm(&name))?;
                    loop {
                        let chunk = archive.data(u64::MAX)?;
                        if chunk.is_empty() {
                            break;
                        }
                        let count = chunk.len();
                        incoming.write_all(chunk).map_err(|source| Error::Write { source })?;
                        archive.consume(count);
                    }
                    files.links.remove(&name);
                    files.files.insert(name, incoming.finish());
                }
                Kind::Symlink | Kind::HardLink => {
                    let target = if entry.kind == Kind::HardLink || entry.link.starts_with(b"/") {
                        key(&entry.link)
                    } else {
                        let parent = memchr::memrchr(b'/', &name).map_or(&b""[..], |slash| &name[..slash]);
                        key(&[parent, b"/", &entry.link].concat())
                    };
                    files.files.remove(&name);
                    files.links.insert(name, target);
                }
                // Directories have no content; anything else does not belong in an archive of images.
                _ => {}
            }
        }
        archive.finish()?;
        Ok(files)
    }

    /// Reads the files of a directory: of an OCI layout index.json and blobs, of `dir:` its manifest and what has a
    /// digest for its name.
    pub(super) fn from_directory(store: &Store, path: &Path) -> Result<Self, Error> {
        let mut files = Self::new(store)?;
        let root = crate::sys::fs::open(path)?;
        let mut names = vec!["index.json".to_owned()];
        if crate::sys::fs::symlink_metadata(path.join("index.json")).is_err_and(|error| error.is_not_found()) {
            let found = crate::sys::fs::paths_in(path)?;
            let found = found.iter().filter_map(|path| path.file_name()?.to_str());
            names.extend(
                found
                    .filter(|name| *name == DIR_MANIFEST || name.starts_with(DIR_SIGNATURE) || is_hex(name))
                    .map(str::to_owned),
            );
        }
        for algorithm in ["sha256", "sha512"] {
            let Ok(entries) = crate::sys::fs::read_dir(path.join("blobs").join(algorithm)) else { continue };
            for entry in entries {
                let name = entry.at("list", path)?.file_name();
                if let Some(name) = name.to_str() {
                    names.push(format!("blobs/{algorithm}/{name}"));
                }
            }
        }
        for name in names {
            // A FIFO would block, and a link could lead outside.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK;
            let file = match open_in(&root, &name, flags, Mode::empty()) {
                Ok(file) => std::fs::File::from(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).at("open", path.join(name)).map_err(Error::from),
            };
            if !file.metadata().at("stat", path)?.is_file() {
                continue;
            }
            let mut incoming = files.intake.begin(algorithm(name.as_bytes()))?;
            io::copy(&mut &file, &mut incoming).at("copy", path.join(&name))?;
            files.files.insert(name.into_bytes(), incoming.finish());
        }
        Ok(files)
    }

    /// The manifest of the only image of a `dir:`, whose blobs can be found by their digests after this; `None` if the
    /// files have another format. Source: containers-transports(5), "dir:path".
    pub(super) fn dir_manifest(&mut self) -> Result<Option<Descriptor>, Error> {
        let Some(file) = self.find(DIR_MANIFEST).filter(|_| !self.has("index.json")).cloned() else { return Ok(None) };
        // In a docker-archive it is a list of images.
        if !self.head(&file)?.trim_ascii_start().starts_with(b"{") {
            return Ok(None);
        }
        let blob = |hex: &[u8]| [b"blobs/sha256/", hex].concat();
        let named = self.files.iter().filter(|(name, _)| std::str::from_utf8(name).is_ok_and(is_hex));
        let blobs: Vec<_> = named.map(|(name, file)| (blob(name), file.clone())).collect();
        self.files.extend(blobs);
        let manifest = Descriptor::new("", file.digest.clone(), file.size);
        self.files.insert(blob(file.digest.hex().as_bytes()), file);
        Ok(Some(manifest))
    }

    /// The manifest of a `dir:`, and its signatures.
    pub(super) fn signed(&self, manifest: &Descriptor) -> Result<(Vec<u8>, Vec<Vec<u8>>), Error> {
        let document = self.document(self.blob(&manifest.digest, manifest.size)?, DIR_MANIFEST)?;
        let names = (1..=SIGNATURES).map(|number| format!("{DIR_SIGNATURE}{number}"));
        let found = names.map_while(|name| Some((self.find(&name)?, name)));
        let signatures = found.map(|(file, name)| self.document(file, &name)).collect::<Result<_, _>>()?;
        Ok((document, signatures))
    }

    /// Whether these are the files of a root file system.
    pub(super) fn is_filesystem(&self) -> bool {
        ["etc/passwd", "bin/sh", "usr/bin/env", "etc/os-release"].iter().any(|name| self.has(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&Waiting> {
        let mut name = key(name.as_bytes());
        for _ in 0..MOST_LINKS {
            if let Some(file) = self.files.get(&name) {
                return Some(file);
            }
            name.clone_from(self.links.get(&name)?);
        }
        None
    }

    /// The file `name`, which `document` names.
    pub(super) fn get(&self, name: &str, document: &'static str) -> Result<&Waiting, Error> {
        self.find(name).ok_or_else(|| Error::Missing { name: name.to_owned(), document })
    }

    /// The blob of a descriptor; checks its digest and size.
    pub(super) fn blob(&self, digest: &Digest, size: u64) -> Result<&Waiting, Error> {
        let name = format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex());
        let file = self.get(&name, "manifest")?;
        if file.size != size {
            let error =
                crate::storage::Error::SizeMismatch { digest: digest.clone(), expected: size, actual: file.size };
            return Err(error.into());
        }
        if file.digest != *digest {
            let (expected, actual) = (digest.clone(), file.digest.clone());
            return Err(crate::storage::Error::DigestMismatch { expected, actual }.into());
        }
        Ok(file)
    }

    /// The content of a document: a manifest, an index, a configuration.
    pub(super) fn document(&self, file: &Waiting, name: &str) -> Result<Vec<u8>, Error> {
        if file.size > MANIFEST_LIMIT {
            let reason = format!("it has more than {MANIFEST_LIMIT} bytes");
            return Err(Error::Document { name: name.to_owned(), reason });
        }
        let mut content = Vec::new();
        let mut open = self.intake.open(file)?.take(MANIFEST_LIMIT);
        open.read_to_end(&mut content).map_err(|source| Error::Read { source })?;
        Ok(content)
    }

    /// The first bytes of a file.
    pub(super) fn head(&self, file: &Waiting) -> Result<Vec<u8>, Error> {
        let mut head = Vec::new();
        self.intake.open(file)?.take(16).read_to_end(&mut head).map_err(|source| Error::Read { source })?;
        Ok(head)
    }
}

/// Whether a file of a `dir:` is a blob: its name is the SHA-256 of its content.
fn is_hex(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A blob is checked with the algorithm in its name; any other file only needs some digest.
fn algorithm(name: &[u8]) -> Algorithm {
    if name.starts_with(b"blobs/sha512/") { Algorithm::Sha512 } else { Algorithm::Sha256 }
}

/// A name as the key of a lookup: without `.`, `..` and redundant slashes.
fn key(name: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for component in Path::new(std::ffi::OsStr::from_bytes(name)).components() {
        match component {
            std::path::Component::Normal(name) => kept.push(name.as_bytes()),
            std::path::Component::ParentDir => drop(kept.pop()),
            _ => {}
        }
    }
    kept.join(&b'/')
}
