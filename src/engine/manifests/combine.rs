//! `buildx imagetools create`: a list of what registries have, in a registry. The store is not asked. Source: buildx,
//! `util/imagetools/create.go`.

use std::collections::BTreeSet;

use super::copy::copy;
use super::{Add, push_bytes, remote, remote_name, unreadable};
use crate::engine::context::Context;
use crate::engine::push::Push;
use crate::image::Config;
use crate::image::list::{self, Document};
use crate::registry::manifest::{DOCKER_LIST, Kind, Manifest};
use crate::registry::{self, Platform};
use crate::storage::{Descriptor, OCI_INDEX};
use crate::types::{Digest, ImageReference, Invalid, Report, ReportKind, json};

/// What is made of what.
#[derive(Debug, Default)]
pub(crate) struct Combine {
    /// Images and lists in registries: a name, a digest in the repository that is named otherwise, or a descriptor.
    pub(crate) sources: Vec<String>,
    /// The names of the result.
    pub(crate) tags: Vec<ImageReference>,
    /// What has the first of these names by now comes first.
    pub(crate) appends: bool,
    /// A single image becomes a list with one image; otherwise it stays as it is.
    pub(crate) prefers_list: bool,
    /// What is added.
    pub(crate) annotations: Vec<Annotation>,
}

/// An annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    /// What is annotated.
    pub(crate) level: AnnotationLevel,
    /// Its name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: String,
}

/// What is annotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AnnotationLevel {
    /// The list.
    List,
    /// What the list says of its images, of all or of those for a platform.
    Member(Option<Platform>),
}

/// A list that is not pushed yet.
#[derive(Debug)]
pub(crate) struct Combined {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    media_type: String,
    sources: Vec<Found>,
}

/// An image, or a list, in a registry.
#[derive(Debug)]
struct Found {
    name: ImageReference,
    descriptor: Descriptor,
    bytes: Vec<u8>,
}

/// A source, as it is typed.
enum Source {
    Name(ImageReference),
    Digest(Digest),
    Descriptor(Box<Descriptor>),
}

/// Asks for the sources, and makes the list of them.
pub(crate) fn combine(context: &Context, request: &Combine, how: &Add) -> Result<Combined, Report> {
    let mut sources = Vec::new();
    if request.appends {
        sources.extend(request.tags.first().cloned().map(Source::Name));
    }
    for typed in &request.sources {
        sources.push(Source::parse(context, typed.trim())?);
    }
    let default = repository(&request.tags, &sources)?;
    let found: Vec<Found> =
        sources.into_iter().map(|source| find(context, source, default.as_ref(), how)).collect::<Result<_, _>>()?;
    if let [one] = &found[..]
        && request.annotations.is_empty()
        && (one.is_list() || !request.prefers_list)
    {
        let (bytes, media_type) = (one.bytes.clone(), one.descriptor.media_type.clone());
        return Ok(Combined { bytes, media_type, sources: found });
    }
    let mut document = Document::empty();
    for one in &found {
        for member in one.members()? {
            add(&mut document, member);
        }
    }
    // docker's type has no annotations.
    let is_docker = |member: &Descriptor| member.media_type.starts_with("application/vnd.docker.");
    let is_of_docker = request.annotations.is_empty() && document.manifests.iter().all(is_docker);
    document.media_type = if is_of_docker { DOCKER_LIST } else { OCI_INDEX }.to_owned();
    request.annotations.iter().for_each(|annotation| annotate(&mut document, annotation));
    let bytes = serde_json::to_vec_pretty(&document)
        .map_err(|error| Report::new(ReportKind::Internal, format!("cannot write a list: {error}")))?;
    Ok(Combined { bytes, media_type: document.media_type, sources: found })
}

impl Combined {
    /// Pushes the list under a name, after what it names, as far as that is in another repository.
    pub(crate) fn push(&self, context: &Context, name: &ImageReference, how: &Push) -> Result<Digest, Report> {
        let is_elsewhere = |found: &&Found| found.name.name() != name.name();
        for found in self.sources.iter().filter(is_elsewhere) {
            copy(context, &found.name, &found.descriptor, name, how)?;
        }
        push_bytes(context, name, self.bytes.clone(), &self.media_type, how).map(|pushed| pushed.digest)
    }
}

impl Source {
    fn parse(context: &Context, typed: &str) -> Result<Self, Report> {
        if typed.starts_with('{') {
            let refuse = |error: serde_json::Error| Invalid::new("descriptor", typed, error.to_string());
            return Ok(Self::Descriptor(Box::new(json::from_slice(typed.as_bytes()).map_err(refuse)?)));
        }
        match typed.parse::<Digest>() {
            Ok(digest) => Ok(Self::Digest(digest)),
            Err(error) if typed.starts_with("sha256:") => Err(error.into()),
            Err(_) => remote_name(context, typed).map(Self::Name),
        }
    }
}

/// The repository of what is named by a digest alone: the only one that is named at all.
fn repository(tags: &[ImageReference], sources: &[Source]) -> Result<Option<ImageReference>, Report> {
    let of_source = |source: &Source| match source {
        Source::Name(name) => Some(name.clone()),
        _ => None,
    };
    let named: Vec<ImageReference> = tags.iter().cloned().chain(sources.iter().filter_map(of_source)).collect();
    let names: BTreeSet<String> = named.iter().map(ImageReference::name).collect();
    let needs_one = sources.iter().any(|source| !matches!(source, Source::Name(_)));
    if needs_one && names.len() != 1 {
        let how_many = if names.is_empty() { "no repository is" } else { "several repositories are" };
        let message = format!("a digest is one of a repository, and {how_many} named");
        return Err(Report::new(ReportKind::Invalid, message).with_hint("name each source: REPOSITORY@DIGEST"));
    }
    Ok(named.into_iter().next())
}

/// Asks for a source, and for the configuration of an image, which says for which platform it is.
fn find(context: &Context, source: Source, default: Option<&ImageReference>, how: &Add) -> Result<Found, Report> {
    let in_default = |digest: &Digest| default.map(|name| name.with_digest(digest.clone()));
    let (name, said) = match source {
        Source::Name(name) => (Some(name), None),
        Source::Digest(digest) => (in_default(&digest), None),
        Source::Descriptor(said) => (in_default(&said.digest), Some(*said)),
    };
    let Some(name) = name else { return Err(Report::new(ReportKind::Internal, "a source without a repository")) };
    let typed = name.to_string();
    let document = remote(context, &typed, how, |client, place| registry::block_on(client.manifest(place)))?;
    let kind =
        Kind::parse(&document.bytes, &document.media_type).map_err(|fault| unreadable(&typed, &fault.to_string()))?;
    let size = document.bytes.len() as u64;
    let mut descriptor = match &kind {
        Kind::Manifest(manifest) if said.as_ref().is_none_or(|said| said.platform.is_none()) => {
            let config = configuration(context, &typed, manifest, how)?;
            list::member(&Descriptor::new(&document.media_type, document.digest, size), &config)
        }
        _ => Descriptor::new(&document.media_type, document.digest, size),
    };
    if let Some(said) = said {
        if said.size != 0 && said.size != size {
            return Err(unreadable(&typed, &format!("it has {size} bytes, not {}", said.size)));
        }
        if !said.media_type.is_empty() {
            descriptor.media_type = said.media_type;
        }
        descriptor.annotations = said.annotations;
        descriptor.platform = said.platform.or(descriptor.platform);
    }
    Ok(Found { name, descriptor, bytes: document.bytes })
}

fn configuration(context: &Context, typed: &str, manifest: &Manifest, how: &Add) -> Result<Config, Report> {
    let found = remote(context, typed, how, |client, _| registry::block_on(client.configuration(&manifest.config)))?;
    json::from_slice(&found.bytes).map_err(|error| unreadable(typed, &error.to_string()))
}

impl Found {
    fn is_list(&self) -> bool {
        matches!(self.descriptor.media_type.as_str(), OCI_INDEX | DOCKER_LIST)
    }

    /// What a list of it has: it, or what it has itself if it is a list.
    fn members(&self) -> Result<Vec<Descriptor>, Report> {
        if !self.is_list() {
            return Ok(vec![self.descriptor.clone()]);
        }
        let document = Document::parse(&self.bytes);
        document
            .map(|document| document.manifests)
            .map_err(|error| unreadable(&self.name.to_string(), &error.to_string()))
    }
}

/// Adds an image; what is said of one that is there already is added to that.
fn add(document: &mut Document, member: Descriptor) {
    match document.member(&member.digest.to_string()) {
        Some(known) => {
            known.platform = member.platform.or(known.platform.take());
            known.annotations.extend(member.annotations);
        }
        None => document.add(member),
    }
}

fn annotate(document: &mut Document, annotation: &Annotation) {
    let Annotation { level, name, value } = annotation;
    match level {
        AnnotationLevel::List => drop(document.annotations.insert(name.clone(), value.clone())),
        AnnotationLevel::Member(wanted) => {
            let is_meant = |member: &&mut Descriptor| match (wanted, &member.platform) {
                (None, _) => true,
                (Some(wanted), Some(found)) => {
                    wanted.rank(&found.os, &found.architecture, found.variant.as_deref()) == Some(0)
                }
                (Some(_), None) => false,
            };
            for member in document.manifests.iter_mut().filter(is_meant) {
                member.annotations.insert(name.clone(), value.clone());
            }
        }
    }
}
