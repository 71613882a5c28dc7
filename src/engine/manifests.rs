//! Lists of images for several platforms.

mod combine;
mod copy;
mod described;
mod tools;

use std::collections::BTreeMap;

pub(crate) use combine::{Annotation, AnnotationLevel, Combine, combine};
pub(crate) use described::{Described, described_list};
pub(crate) use tools::{remote_configurations, remote_image};

use super::context::Context;
use super::observer::Observer;
use super::push::{Push, Signing, push_to};
use super::registry::{self as connection, Connection, tls_verify_at};
use crate::image::Config;
use crate::image::list::{self, Document, List};
use crate::image::local;
use crate::image::push::{Packing, Pushed};
use crate::registry::manifest::{Fault, Kind};
use crate::registry::{self, Client, Credentials, Platform};
use crate::storage::{self, Descriptor, Platform as MemberPlatform, Store};
use crate::types::{Digest, ImageReference, Invalid, Report, ReportKind, json};

/// How images are added to a list.
#[derive(Debug, Default)]
pub(crate) struct Add {
    /// How to reach registries.
    pub(crate) connection: Connection,
    /// The credentials for them.
    pub(crate) credentials: Option<Credentials>,
    /// All images of a list that is added, not only that for this host.
    pub(crate) all: bool,
    /// What is said about the image in the list.
    pub(crate) marks: Marks,
}

/// What a list says about an image in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// Its architecture.
    pub(crate) arch: Option<String>,
    /// Its OS.
    pub(crate) os: Option<String>,
    /// The version of the OS.
    pub(crate) os_version: Option<String>,
    /// The variant of the architecture.
    pub(crate) variant: Option<String>,
    /// Annotations.
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Marks {
    fn put_on(&self, member: &mut Descriptor) {
        let platform = member.platform.get_or_insert_with(|| MemberPlatform {
            architecture: String::new(),
            os: "linux".to_owned(),
            variant: None,
            os_version: None,
        });
        if let Some(arch) = &self.arch {
            platform.architecture.clone_from(arch);
        }
        if let Some(os) = &self.os {
            platform.os.clone_from(os);
        }
        platform.variant = self.variant.clone().or(platform.variant.take());
        platform.os_version = self.os_version.clone().or(platform.os_version.take());
        member.annotations.extend(self.annotations.clone());
    }
}

/// Makes a list of images; one that exists is a conflict unless it may be amended. Returns its ID.
pub(crate) fn create_list(
    context: &Context,
    name: &str,
    images: &[String],
    amend: bool,
    how: &Add,
    annotations: &BTreeMap<String, String>,
) -> Result<Digest, Report> {
    let store = context.store()?;
    let mut reference: ImageReference = name.parse()?;
    if reference.digest().is_some() {
        return Err(Invalid::new("name of a list", name, "has a digest").into());
    }
    let conflict = |name: &ImageReference| {
        let report = Report::new(ReportKind::Conflict, format!("a list `{name}` exists"));
        report.with_hint("add to it with `--amend`")
    };
    match list::find(store, name) {
        Ok(_) if !amend => return Err(conflict(&reference)),
        Ok(found) => reference = found.name,
        Err(crate::image::Error::NoList { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut added = Vec::new();
    for image in images {
        added.extend(members(context, image, how)?);
    }
    list::update(store, &reference, |known| {
        if known.is_some() && !amend {
            return Err(conflict(&reference));
        }
        let mut document = known.unwrap_or_else(Document::empty);
        document.annotations.extend(annotations.clone());
        added.iter().for_each(|member| document.add(member.clone()));
        Ok(document)
    })
}

/// Changes a list that exists.
fn change(
    store: &Store,
    name: &str,
    mut change: impl FnMut(&ImageReference, &mut Document) -> Result<(), Report>,
) -> Result<Digest, Report> {
    let found = list::find(store, name)?.name;
    list::update(store, &found, |known| {
        let mut document = known.ok_or_else(|| crate::image::Error::NoList { name: name.to_owned() })?;
        change(&found, &mut document)?;
        Ok(document)
    })
}

/// Adds an image to a list. Returns the list's new ID.
pub(crate) fn add_to_list(context: &Context, name: &str, image: &str, how: &Add) -> Result<Digest, Report> {
    let store = context.store()?;
    // A list that does not exist is no reason to ask a registry.
    list::find(store, name)?;
    let added = members(context, image, how)?;
    change(store, name, |_, document| {
        added.iter().for_each(|member| document.add(member.clone()));
        Ok(())
    })
}

/// Changes what a list says about an image in it, which is named by the digest of its manifest, or as an image of the
/// store. Returns the list's new ID.
pub(crate) fn annotate(context: &Context, name: &str, image: &str, marks: &Marks) -> Result<Digest, Report> {
    let digest = digest_of(context, image);
    change(context.store()?, name, |list, document| {
        let missing = || not_in_list(list, image);
        marks.put_on(document.member(&digest).ok_or_else(missing)?);
        Ok(())
    })
}

/// Removes an image from a list. Returns the list's new ID.
pub(crate) fn remove_from_list(context: &Context, name: &str, image: &str) -> Result<Digest, Report> {
    let digest = digest_of(context, image);
    change(context.store()?, name, |list, document| {
        if document.member(&digest).is_none() {
            return Err(not_in_list(list, image));
        }
        document.manifests.retain(|member| member.digest.to_string() != digest);
        Ok(())
    })
}

/// Removes a list; its images stay. Returns its name and its ID.
pub(crate) fn remove_list(context: &Context, name: &str) -> Result<List, Report> {
    let store = context.store()?;
    let found = list::find(store, name)?;
    let _garbage = store.mark_garbage()?;
    store.remove_list(&found.name)?;
    Ok(found)
}

/// Finds a list in the store.
pub(crate) fn find_list(context: &Context, name: &str) -> Result<List, Report> {
    Ok(list::find(&context.store_to_read()?, name)?)
}

/// The document that a registry has under a name: a list, or a manifest.
pub(crate) fn remote_document(context: &Context, name: &str, how: &Add) -> Result<Vec<u8>, Report> {
    Ok(remote(context, name, how, |client, place| registry::block_on(client.manifest(place)))?.bytes)
}

/// The digest of what a registry has under a name, and that of the manifest for a platform there.
pub(super) fn digests_at_registry(
    context: &Context,
    name: &str,
    platform: &Platform,
    connection: Connection,
) -> Result<[Digest; 2], Report> {
    let how = Add { connection, ..Add::default() };
    let found = remote(context, name, &how, |client, place| registry::block_on(client.manifest(place)))?;
    let refuse = |fault: Fault| unreadable(name, &fault.to_string());
    let chosen = match Kind::parse(&found.bytes, &found.media_type).map_err(refuse)? {
        Kind::Manifest(_) => found.digest.clone(),
        Kind::Index(index) => index.choose(platform).map_err(refuse)?.digest.clone(),
    };
    Ok([found.digest, chosen])
}

/// Pushes a list, and with `all` the images in it that the store has; the others must be in the registry. What it
/// pushes it signs, under the name of the list, if that was asked for.
///
/// Starts threads: the process must not fork any more.
pub(crate) fn push_list(
    context: &Context,
    name: &str,
    destination: Option<&str>,
    how: &Push,
    all: bool,
    observer: &dyn Observer,
) -> Result<Pushed, Report> {
    let store = context.store()?;
    let List { name, mut document, .. } = list::find(store, name)?;
    let reference = match destination {
        Some(typed) => typed.strip_prefix("docker://").unwrap_or(typed).parse()?,
        None => name,
    };
    // Without a compression that was asked for, images stay as the list names them.
    let packing = Packing { keep: how.packing == Packing::default(), ..how.packing };
    for member in document.manifests.iter_mut().filter(|_| all) {
        match local::of_manifest(store, member) {
            Ok(image) => {
                let signed_as = Some(reference.clone());
                let how = Push { packing, is_unnamed: true, signed_as, ..how.clone() };
                let pushed = push_to(context, &image, &reference.with_digest(member.digest.clone()), &how, observer)?;
                (member.digest, member.size, member.media_type) = (pushed.digest, pushed.size, pushed.media_type);
            }
            Err(crate::image::Error::Storage(storage::Error::NoBlob { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    push_document(context, &reference, &document, how)
}

/// Pushes a list, all of whose images are in the registry.
pub(super) fn push_document(
    context: &Context,
    reference: &ImageReference,
    document: &Document,
    how: &Push,
) -> Result<Pushed, Report> {
    push_bytes(context, reference, document.bytes()?, &document.media_type, how)
}

/// Pushes the bytes of a list, or of a manifest all of whose blobs are in the registry.
fn push_bytes(
    context: &Context,
    reference: &ImageReference,
    bytes: Vec<u8>,
    media_type: &str,
    how: &Push,
) -> Result<Pushed, Report> {
    let (place, options) = place_of(context, reference, &how.connection, how.credentials.as_ref())?;
    let (size, digest) = (bytes.len() as u64, storage::Hasher::sha256(&bytes));
    let fail = cannot_push(reference);
    let signing = Signing::begin(context, how, &place, &digest, &options)?;
    let client = Client::for_push(&place, &[], options).map_err(&fail)?;
    let tag = place.tag().filter(|_| !how.is_unnamed);
    let selector = tag.map_or_else(|| digest.to_string(), str::to_owned);
    let subject = reference.to_string();
    let put = client.put_manifest(&selector, media_type, bytes, &subject);
    registry::block_on(put).and_then(|answer| answer).map_err(&fail)?;
    let pushed = Pushed { reference: reference.clone(), digest, size, media_type: media_type.to_owned() };
    if let Some(signing) = signing {
        signing.finish(reference, &pushed)?;
    }
    Ok(pushed)
}

/// What a failed push is told as.
fn cannot_push(reference: &ImageReference) -> impl Fn(registry::Error) -> Report {
    move |error| {
        let message = format!("cannot push to `{reference}`: {error}");
        Report::from(error).with_message(message)
    }
}

/// Where an image is, and how to connect to it.
fn place_of(
    context: &Context,
    reference: &ImageReference,
    how: &Connection,
    given: Option<&Credentials>,
) -> Result<(ImageReference, registry::Options), Report> {
    let place = context.registries.get()?.place(reference)?;
    let credentials = credentials(context, &place.reference, how, given)?;
    let mut options = connection::options(context, how, credentials);
    options.tls_verify = tls_verify_at(&place, how.tls_verify);
    Ok((place.reference, options))
}

fn not_in_list(list: &ImageReference, image: &str) -> Report {
    let message = format!("the list `{list}` has no image `{image}`");
    Report::new(ReportKind::NotFound(crate::types::Thing::Image), message)
}

/// The digest of the manifest that is meant.
fn digest_of(context: &Context, typed: &str) -> String {
    let found = context.store().ok().and_then(|store| local::find(store, &context.registries, typed).ok());
    found.map_or_else(|| typed.to_owned(), |image| image.manifest.digest.to_string())
}

/// What a list says of an image of the store, or of a registry, or of the images of another list.
fn members(context: &Context, typed: &str, how: &Add) -> Result<Vec<Descriptor>, Report> {
    let store = context.store()?;
    let remote_name = typed.strip_prefix("docker://");
    let mut members = match remote_name.is_none().then(|| local::find(store, &context.registries, typed)) {
        Some(Ok(image)) => vec![list::member(&image.manifest, &image.config)],
        Some(Err(error)) if !matches!(error, crate::image::Error::NotFound { .. }) => return Err(error.into()),
        _ => match list::find(store, typed).ok().filter(|_| remote_name.is_none()) {
            Some(other) => other.document.manifests,
            None => remote_members(context, remote_name.unwrap_or(typed), how)?,
        },
    };
    members.iter_mut().for_each(|member| how.marks.put_on(member));
    Ok(members)
}

/// The images that a name stands for in its registry.
fn remote_members(context: &Context, typed: &str, how: &Add) -> Result<Vec<Descriptor>, Report> {
    let found = remote(context, typed, how, |client, place| registry::block_on(client.manifest(place)))?;
    let refuse = |fault: Fault| {
        let message = format!("cannot add `{typed}`: {fault}");
        Report::from(fault).with_message(message)
    };
    let size = found.bytes.len() as u64;
    match Kind::parse(&found.bytes, &found.media_type).map_err(refuse)? {
        Kind::Manifest(manifest) => {
            let config =
                remote(context, typed, how, |client, _| registry::block_on(client.configuration(&manifest.config)))?;
            let config: Config = json::from_slice(&config.bytes)
                .map_err(|source| refuse(Fault::Json { what: "configuration", source }))?;
            Ok(vec![list::member(&Descriptor::new(manifest.media_type, found.digest, size), &config)])
        }
        Kind::Index(index) => {
            let whole =
                Document::parse(&found.bytes).map_err(|source| refuse(Fault::Json { what: "index", source }))?;
            if how.all {
                return Ok(whole.manifests);
            }
            let chosen = index.choose(&Platform::host()).map_err(refuse)?;
            Ok(whole.manifests.into_iter().filter(|member| member.digest == chosen.digest).collect())
        }
    }
}

/// What a registry has cannot be read.
fn unreadable(typed: &str, reason: &str) -> Report {
    Report::new(ReportKind::Damaged, format!("`{}`: {reason}", typed.escape_debug()))
}

/// Asks the registry of a name.
fn remote<T>(
    context: &Context,
    typed: &str,
    how: &Add,
    ask: impl FnOnce(&Client, &ImageReference) -> Result<Result<T, registry::Error>, registry::Error>,
) -> Result<T, Report> {
    let reference = remote_name(context, typed)?;
    let (place, options) = place_of(context, &reference, &how.connection, how.credentials.as_ref())?;
    let fail = |error: registry::Error| {
        let message = format!("cannot ask for `{reference}`: {error}");
        Report::from(error).with_message(message)
    };
    let client = Client::new(&place, options).map_err(fail)?;
    ask(&client, &place).and_then(|answer| answer).map_err(fail)
}

/// What a name of an image means in a registry.
fn remote_name(context: &Context, typed: &str) -> Result<ImageReference, Report> {
    let names = context.registries.get()?.pulled(typed)?;
    names.into_iter().next().ok_or_else(|| Invalid::new("image", typed, "names nothing").into())
}

fn credentials(
    context: &Context,
    reference: &ImageReference,
    connection: &Connection,
    given: Option<&Credentials>,
) -> Result<Option<Credentials>, Report> {
    match given {
        Some(given) => Ok(Some(given.clone())),
        None => Ok(Credentials::find(reference, connection.authfile.as_deref(), &context.places)
            .map_err(registry::Error::from)?),
    }
}
