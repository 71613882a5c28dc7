//! Creates an image with one layer from an archive of a filesystem.

use std::io::{BufRead as _, BufReader, Read};

use jiff::Timestamp;

use super::foreign::{Use, expect_archive};
use super::make::{config, manifest};
use super::{Config, Error, History, RootFs, change};
use crate::registry::Platform;
use crate::storage::layer::Info;
use crate::storage::{Compression, HEAD, Store, Target, decompress};
use crate::types::{Digest, ImageReference};

/// How an archive is imported.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The image's name; `None` leaves it without one.
    pub(crate) name: Option<ImageReference>,
    /// Dockerfile instructions that change the configuration.
    pub(crate) changes: Vec<String>,
    /// A comment for the history.
    pub(crate) message: Option<String>,
    /// The platform of the image; `None` is that of this host.
    pub(crate) platform: Option<Platform>,
    /// The ID map to unpack the layer for.
    pub(crate) target: Target,
}

/// Imports an archive, plain or compressed; it stays compressed if layers can be (gzip, zstd).
///
/// Returns the image's ID and what rc knows about its layer.
///
/// This starts threads: do not call it in a process that will still fork.
pub(crate) fn import(store: &Store, archive: impl Read + Send, options: &Options) -> Result<(Digest, Info), Error> {
    let now = Timestamp::now().to_string();
    let platform = options.platform.clone().unwrap_or_else(Platform::host);
    let mut document = Config {
        created: Some(now.clone()),
        architecture: platform.architecture,
        variant: platform.variant,
        os: platform.os,
        rootfs: RootFs { kind: "layers".to_owned(), diff_ids: Vec::new() },
        ..Config::default()
    };
    for instruction in &options.changes {
        change::apply(&mut document.config, instruction)?;
    }
    let archive = layer_of(expect_archive(archive, Use::Files)?)?;
    let ingest = store.begin_ingest()?;
    let (mut blob, diff_id, info) = store.import_layer(archive, &options.target)?;
    let mut head = Vec::new();
    store.open_blob(&blob.digest)?.take(HEAD as u64).read_to_end(&mut head).map_err(|source| Error::Read { source })?;
    blob.media_type = Compression::of(&head).layer_type().to_owned();
    document.history.push(History {
        created: Some(now),
        created_by: Some(format!("/bin/sh -c #(nop) ADD file:{} in / ", diff_id.hex())),
        comment: Some(options.message.clone().unwrap_or_else(|| "Imported from tarball".to_owned())),
        author: None,
        empty_layer: false,
    });
    document.rootfs.diff_ids.push(diff_id);
    let config = config(store, &document)?;
    let manifest = manifest(store, &config, &[blob])?;
    match &options.name {
        Some(name) => store.tag(name, &manifest, None)?,
        None => store.add_unnamed(&manifest)?,
    }
    ingest.finish()?;
    Ok((config.digest, info))
}

/// An archive as a layer can be: it is unpacked from a compression that no registry knows.
fn layer_of<'a>(archive: impl Read + Send + 'a) -> Result<Box<dyn Read + Send + 'a>, Error> {
    let failed = |source| Error::Read { source };
    let mut archive = BufReader::with_capacity(128 << 10, archive);
    let head = archive.fill_buf().map_err(failed)?;
    if Compression::of(head).is_for_layers() {
        return Ok(Box::new(archive));
    }
    decompress(archive).map_err(failed)
}
