//! Where a cache is, and its documents and blobs there.

use std::fmt;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::registry::manifest::Descriptor as Reference;
use crate::registry::{self, Client, MANIFEST_LIMIT, Source, block_on};
use crate::storage::{Descriptor, Hasher, REF_NAME};
use crate::sys::fs::{self, AtPath as _};
use crate::sys::lock::FileLock;
use crate::sys::replacement::{Replacement, replace_named};
use crate::types::{Digest, ImageReference, Report, ReportKind, Thing, json as parsing};

/// The tag of a cache that has none.
const TAG: &str = "latest";

/// Where a cache is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In a directory with an image layout.
    Directory {
        /// The directory.
        path: PathBuf,
        /// Which of the caches in it; `latest`.
        tag: Option<String>,
        /// The digest that its manifest must have.
        digest: Option<Digest>,
    },
    /// In a repository of a registry.
    Repository {
        /// The repository and the tag.
        reference: ImageReference,
        /// How to connect.
        options: Box<registry::Options>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, .. } => path.display().fmt(f),
            Self::Repository { reference, .. } => reference.fmt(f),
        }
    }
}

impl Place {
    /// Reads the manifest.
    pub(super) fn manifest(&self) -> Result<Vec<u8>, Report> {
        match self {
            Self::Repository { reference, options } => {
                let client = Client::new(reference, registry::Options::clone(options))?;
                Ok(block_on(client.manifest(reference)).and_then(|answer| answer)?.bytes)
            }
            Self::Directory { path, tag, digest } => {
                let listed = index(path)?;
                let tag = tag.as_deref().unwrap_or(TAG);
                let is_it = |entry: &&Value| match digest {
                    Some(digest) => entry["digest"] == digest.to_string(),
                    None => entry["annotations"][REF_NAME] == tag,
                };
                let found = listed.iter().find(is_it).and_then(|entry| entry["digest"].as_str()?.parse().ok());
                let found: Digest = found.ok_or_else(|| {
                    Report::new(ReportKind::NotFound(Thing::File), format!("`{}` has no cache `{tag}`", path.display()))
                })?;
                read(path, &found)
            }
        }
    }

    /// Reads a manifest that an index names.
    pub(super) fn manifest_of(&self, descriptor: &Reference) -> Result<Vec<u8>, Report> {
        match self {
            Self::Repository { reference, options } => {
                let client = Client::new(reference, registry::Options::clone(options))?;
                Ok(block_on(client.manifest_of(descriptor)).and_then(|answer| answer)?.bytes)
            }
            Self::Directory { path, .. } => read(path, &descriptor.digest),
        }
    }

    /// Reads a small blob, whose digest is right then.
    pub(super) fn document(&self, descriptor: &Reference) -> Result<Vec<u8>, Report> {
        match self {
            Self::Repository { reference, options } => {
                let client = Client::new(reference, registry::Options::clone(options))?;
                Ok(block_on(client.configuration(descriptor)).and_then(|answer| answer)?.bytes)
            }
            Self::Directory { path, .. } => read(path, &descriptor.digest),
        }
    }

    /// Opens a blob. What comes over a network is in the file `scratch`.
    pub(super) fn open(&self, blob: &Descriptor, scratch: &Path) -> io::Result<File> {
        let Self::Repository { reference, options } = self else {
            let Self::Directory { path, .. } = self else { return Err(io::ErrorKind::NotFound.into()) };
            return fs::open_record(blob_path(path, &blob.digest)).map_err(|error| error.source);
        };
        let client = Client::new(reference, registry::Options::clone(options)).map_err(io::Error::other)?;
        let wanted = wanted(blob);
        let mut file = fs::create_new(scratch).map_err(|error| error.source)?;
        let received = block_on(async {
            let mut stream = client.blob(&wanted, 0).await.map_err(io::Error::other)?;
            while let Some(chunk) = stream.chunk().await.map_err(io::Error::other)? {
                file.write_all(&chunk)?;
            }
            Ok::<_, io::Error>(())
        });
        received.map_err(io::Error::other)??;
        fs::open(scratch).map_err(|error| error.source)
    }

    /// Writes a blob, the content of a file, unless it is there.
    pub(super) fn put(&self, blob: &Descriptor, file: &Path) -> Result<(), Report> {
        match self {
            Self::Repository { reference, options } => {
                let client = Client::for_push(reference, &[], registry::Options::clone(options))?;
                let path = file.to_owned();
                let open = move |offset| {
                    let mut file = fs::open(&path).map_err(|error| error.source)?;
                    file.seek(SeekFrom::Start(offset))?;
                    Ok(Box::new(file) as Box<dyn io::Read + Send>)
                };
                let source = Source::new(wanted(blob), open, |_| {});
                block_on(client.upload(&source, &[])).and_then(|answer| answer)?;
                Ok(())
            }
            Self::Directory { path, .. } => {
                let target = blob_path(path, &blob.digest);
                if fs::symlink_metadata(&target).is_ok_and(|found| found.is_file() && found.len() == blob.size) {
                    return Ok(());
                }
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent)?;
                }
                let mut written = Replacement::begin(&target, 0o644)?;
                io::copy(&mut fs::open(file)?, &mut written).at("write", &target)?;
                Ok(written.finish()?)
            }
        }
    }

    /// Writes a small blob; `scratch` is the path of a file that this makes and removes.
    pub(super) fn put_document(&self, media_type: &str, bytes: &[u8], scratch: &Path) -> Result<Descriptor, Report> {
        if bytes.len() as u64 > MANIFEST_LIMIT {
            let message = format!("the cache for `{self}` has too many steps: prune some, or use mode=min");
            return Err(Report::new(ReportKind::Invalid, message));
        }
        fs::write(scratch, bytes)?;
        let blob = Descriptor::new(media_type, Hasher::sha256(bytes), bytes.len() as u64);
        self.put(&blob, scratch)?;
        fs::remove_file(scratch)?;
        Ok(blob)
    }

    /// Writes the manifest, and gives it its name: the cache is complete.
    pub(super) fn name(&self, media_type: &str, manifest: Vec<u8>) -> Result<Digest, Report> {
        let digest = Hasher::sha256(&manifest);
        match self {
            Self::Repository { reference, options } => {
                let client = Client::for_push(reference, &[], registry::Options::clone(options))?;
                let (tag, subject) = (reference.tag().unwrap_or(TAG), reference.to_string());
                let put = client.put_manifest(tag, media_type, manifest, &subject);
                block_on(put).and_then(|answer| answer)?;
            }
            Self::Directory { path, tag, .. } => {
                let target = blob_path(path, &digest);
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent)?;
                }
                replace_named(&target, &manifest)?;
                let tag = tag.as_deref().unwrap_or(TAG);
                // Of two builds that write to one directory, each adds its entry.
                let _lock = FileLock::of_directory(path)?;
                let mut listed = index(path)?;
                listed.retain(|entry| entry["annotations"][REF_NAME] != tag);
                listed.push(json!({
                    "mediaType": media_type,
                    "digest": digest,
                    "size": manifest.len(),
                    "annotations": { REF_NAME: tag },
                }));
                replace_named(&path.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
                let index = json!({ "schemaVersion": 2, "manifests": listed });
                replace_named(&path.join("index.json"), index.to_string().as_bytes())?;
            }
        }
        Ok(digest)
    }
}

fn wanted(blob: &Descriptor) -> Reference {
    Reference { media_type: blob.media_type.clone(), digest: blob.digest.clone(), size: blob.size }
}

fn blob_path(directory: &Path, digest: &Digest) -> PathBuf {
    directory.join("blobs").join(digest.algorithm().as_str()).join(digest.hex())
}

/// The entries of the index of a layout, which need not be there.
fn index(directory: &Path) -> Result<Vec<Value>, Report> {
    let path = directory.join("index.json");
    let bytes = match fs::read_record(&path, MANIFEST_LIMIT) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        other => other?,
    };
    let damaged = |reason: String| Report::new(ReportKind::Invalid, format!("`{}`: {reason}", path.display()));
    let index: Value = parsing::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    index["manifests"].as_array().cloned().ok_or_else(|| damaged("it has no manifests".to_owned()))
}

/// A small blob of a layout, whose digest is right.
fn read(directory: &Path, digest: &Digest) -> Result<Vec<u8>, Report> {
    let path = blob_path(directory, digest);
    let bytes = fs::read_record(&path, MANIFEST_LIMIT)?;
    let mut hasher = Hasher::new(digest.algorithm());
    hasher.update(&bytes);
    if hasher.finish() != *digest {
        return Err(Report::new(ReportKind::Invalid, format!("`{}` has another digest", path.display())));
    }
    Ok(bytes)
}
