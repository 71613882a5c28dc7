//! The images of one build for several platforms, and their list.

use std::collections::BTreeMap;

use super::context::Context;
use super::manifests::push_document;
use super::observer::Observer;
use super::push::{Push, push_to};
use crate::image::list::{self, Document};
use crate::image::local;
use crate::image::push::Pushed;
use crate::types::{Digest, ImageReference, Report};

/// Makes `name` the name of a list of these images, which are named by the digests of their manifests; `is_added`: they
/// are added to the list of that name. Returns the list's ID.
pub(crate) fn name_list(
    context: &Context,
    name: &ImageReference,
    images: &[Digest],
    annotations: &BTreeMap<String, String>,
    is_added: bool,
) -> Result<Digest, Report> {
    let store = context.store()?;
    let images = images.iter().map(|image| local::find_manifest(store, image, None)).collect::<Result<Vec<_>, _>>()?;
    list::update(store, name, |known| {
        let mut document = known.filter(|_| is_added).unwrap_or_else(Document::empty);
        document.annotations.extend(annotations.clone());
        images.iter().for_each(|image| document.add(list::member(&image.manifest, &image.config)));
        Ok(document)
    })
}

/// Pushes images, which are named by the digests of their manifests, and the list of what the registry has of them
/// then: compressed layers make other manifests.
///
/// Starts threads: the process must not fork any more.
pub(crate) fn push_as_list(
    context: &Context,
    reference: &ImageReference,
    images: &[Digest],
    annotations: &BTreeMap<String, String>,
    how: &Push,
    observer: &dyn Observer,
) -> Result<Pushed, Report> {
    let store = context.store()?;
    let mut document = Document::empty();
    document.annotations.clone_from(annotations);
    let each = Push { is_unnamed: true, ..how.clone() };
    for image in images {
        let image = local::find_manifest(store, image, None)?;
        let pushed = push_to(context, &image, reference, &each, observer)?;
        let mut member = list::member(&image.manifest, &image.config);
        (member.media_type, member.digest, member.size) = (pushed.media_type, pushed.digest, pushed.size);
        document.add(member);
    }
    push_document(context, reference, &document, how)
}
