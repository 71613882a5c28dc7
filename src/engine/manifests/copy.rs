//! From one repository to another: a manifest, or a list, with everything that it names.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::Deserialize;

use super::{cannot_push, place_of};
use crate::engine::context::Context;
use crate::engine::push::Push;
use crate::registry::manifest::Descriptor as Wanted;
use crate::registry::{self, Client, Source};
use crate::storage::{Descriptor, Hasher};
use crate::sys::fs::{self, AtPath as _};
use crate::types::{ImageReference, Report, ReportKind, json, or_default};

/// How deep lists are in lists.
const DEEPEST: usize = 4;

/// What a manifest or a list names; artifacts have the same fields.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "or_default")]
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "or_default")]
    manifests: Vec<Descriptor>,
}

/// Copies what `descriptor` names in the repository of `from` to that of `to`, where it gets no name. In one registry
/// nothing is sent that the registry can take over itself.
pub(super) fn copy(
    context: &Context,
    from: &ImageReference,
    descriptor: &Descriptor,
    to: &ImageReference,
    how: &Push,
) -> Result<(), Report> {
    let (source, options) = place_of(context, from, &how.connection, how.credentials.as_ref())?;
    let client = Client::new(&source, options)?;
    let (target, options) = place_of(context, to, &how.connection, how.credentials.as_ref())?;
    let is_same = source.registry() == target.registry();
    let sources: Vec<String> = is_same.then(|| source.repository().to_owned()).into_iter().collect();
    let into = Client::for_push(&target, &sources, options).map_err(cannot_push(to))?;
    let scratch = context.store()?.scratch()?;
    let copying = Copying { from: client, into, to, sources, scratch: scratch.path() };
    copying.manifest(&wanted(descriptor), 0)
}

struct Copying<'a> {
    from: Client,
    into: Client,
    to: &'a ImageReference,
    /// Repositories that the registry can take blobs over from.
    sources: Vec<String>,
    scratch: &'a Path,
}

impl Copying<'_> {
    fn manifest(&self, descriptor: &Wanted, depth: usize) -> Result<(), Report> {
        let found = registry::block_on(self.from.manifest_of(descriptor)).and_then(|found| found)?;
        let unreadable =
            |reason: &str| Report::new(ReportKind::Damaged, format!("cannot copy `{}`: {reason}", descriptor.digest));
        let named: Named = json::from_slice(&found.bytes).map_err(|error| unreadable(&error.to_string()))?;
        if depth == DEEPEST && !named.manifests.is_empty() {
            return Err(unreadable("it is too deep in lists"));
        }
        named.manifests.iter().try_for_each(|inner| self.manifest(&wanted(inner), depth + 1))?;
        named.config.iter().chain(&named.layers).try_for_each(|blob| self.blob(&wanted(blob)))?;
        let selector = descriptor.digest.to_string();
        let put = self.into.put_manifest(&selector, &found.media_type, found.bytes, &selector);
        registry::block_on(put).and_then(|put| put).map_err(cannot_push(self.to))
    }

    fn blob(&self, blob: &Wanted) -> Result<(), Report> {
        let fail = cannot_push(self.to);
        let there = registry::block_on(self.into.find_blob(&blob.digest, &self.sources));
        if there.and_then(|there| there).map_err(&fail)?.is_some() {
            return Ok(());
        }
        let path = self.scratch.join(blob.digest.hex());
        let mut file = fs::create_new(&path)?;
        let mut hasher = Hasher::new(blob.digest.algorithm());
        registry::block_on(async {
            let mut arriving = self.from.blob(blob, 0).await?;
            while let Some(bytes) = arriving.chunk().await? {
                hasher.update(&bytes);
                file.write_all(&bytes).at("write", &path)?;
            }
            Ok::<_, Report>(())
        })??;
        let actual = hasher.finish();
        if actual != blob.digest {
            return Err(registry::Error::Digest { expected: blob.digest.clone(), actual }.into());
        }
        let opened = path.clone();
        let source = Source::new(blob.clone(), move |offset| open_at(&opened, offset), |_| ());
        registry::block_on(self.into.upload(&source, &[])).and_then(|sent| sent).map_err(&fail)?;
        Ok(fs::remove_file(&path)?)
    }
}

fn wanted(descriptor: &Descriptor) -> Wanted {
    let Descriptor { media_type, digest, size, .. } = descriptor.clone();
    Wanted { media_type, digest, size }
}

fn open_at(path: &Path, offset: u64) -> std::io::Result<Box<dyn Read + Send>> {
    let mut file: File = fs::open(path).map_err(|error| error.source)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(Box::new(file))
}
