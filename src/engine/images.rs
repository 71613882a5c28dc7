//! Images of the store: list, tag, remove.

use jiff::Timestamp;

use super::context::Context;
use super::happened;
use super::manifests::remove_list;
use super::sweep::{in_use, sweep_all, sweep_soon};
use crate::container::{self, Removal as ContainerRemoval};
use crate::image;
use crate::image::list;
use crate::image::local::{self, LocalImage, Removal, Removed};
use crate::registry::Platform;
use crate::storage::Store;
use crate::types::{Digest, ImageReference, Report};
use crate::view::filter::{self, ImageFacts, ImageFilter, is_named};
use crate::view::when::Clock;

/// An image with its size and its users. Images of one ID, which were pulled in several forms, are one.
#[derive(Debug)]
pub(crate) struct ListedImage {
    /// The image, with the names of all its forms.
    pub(crate) image: LocalImage,
    /// For each name, the digest of the manifest that it stands for.
    pub(crate) manifests: Vec<Digest>,
    /// Bytes of its unpacked layers.
    pub(crate) size: u64,
    /// `NAME@DIGEST` for all names and digests.
    pub(crate) digests: Vec<String>,
    /// How many containers use it.
    pub(crate) containers: usize,
}

impl ListedImage {
    /// When it was built.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.image.config.created.as_deref()?.parse().ok()
    }

    fn facts(&self) -> ImageFacts<'_> {
        let image = &self.image;
        let labels = &image.config.config.labels;
        ImageFacts { id: &image.id, names: &image.names, created: self.created(), labels, is_used: self.containers > 0 }
    }
}

/// All images, and why some could not be read.
#[derive(Debug)]
pub(crate) struct Images {
    /// The readable ones.
    pub(crate) images: Vec<ListedImage>,
    /// A failure for each unreadable one.
    pub(crate) damaged: Vec<Report>,
}

/// Lists all images.
pub(crate) fn images(context: &Context) -> Result<Images, Report> {
    let store = context.store_to_read()?;
    let (found, damaged) = local::list(&store)?;
    let containers = container::list(&store)?.containers;
    let map = context.ids()?.key();
    let mut images: Vec<ListedImage> = Vec::with_capacity(found.len());
    for image in found {
        let (size, digests) = (image.size(&store, &map)?, image.digests());
        let manifests = vec![image.manifest.digest.clone(); image.names.len()];
        if let Some(same) = images.iter_mut().find(|same| same.image.id == image.id) {
            same.digests.extend(digests);
            same.manifests.extend(manifests);
            same.image.names.extend(image.names);
            local::add_history(&mut same.image.history, image.history);
            continue;
        }
        let containers = containers.iter().filter(|container| container.config.uses_image(&image.id)).count();
        images.push(ListedImage { image, manifests, size, digests, containers });
    }
    Ok(Images { images, damaged: damaged.into_iter().map(Report::from).collect() })
}

/// Those of `all` that match the filters and whose name matches `pattern`, or whose ID begins with it if no name does;
/// and for each the numbers of the names under which it is shown.
pub(crate) fn select_images<'a>(
    filters: &[String],
    pattern: Option<&str>,
    all: &'a [ListedImage],
    clock: Clock,
) -> Result<Vec<(&'a ListedImage, Vec<usize>)>, filter::Error> {
    let mut filter = ImageFilter::parse(filters, clock, |wanted| {
        let reference = wanted.parse().ok();
        let prefix = wanted.strip_prefix("sha256:").unwrap_or(wanted);
        let found = all.iter().find(|known| reference.as_ref().is_some_and(|name| known.image.names.contains(name)));
        found.or_else(|| all.iter().find(|known| known.image.id.hex().starts_with(prefix)))?.created()
    })?;
    if let Some(typed) = pattern {
        let names = || all.iter().flat_map(|known| &known.image.names);
        let found = patterns(typed).into_iter().find(|pattern| names().any(|name| is_named(name, pattern)));
        filter = match found {
            Some(pattern) => filter.with_reference(&pattern),
            None => filter.with_id(typed),
        };
    }
    let shown = |known: &'a ListedImage| {
        let names = known.image.names.iter().enumerate().filter(|(_, name)| filter.shows(name));
        (known, names.map(|(number, _)| number).collect())
    };
    Ok(all.iter().filter(|known| filter.matches(known.facts())).map(shown).collect())
}

/// What `images NAME` may stand for: a name as docker completes it, one of podman's, or the end of a name.
fn patterns(typed: &str) -> Vec<String> {
    let has_tag = typed.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    let whole = |typed: &str| {
        let name: ImageReference = typed.parse().ok()?;
        Some(if has_tag { name.to_string() } else { name.name() })
    };
    let here = format!("localhost/{typed}");
    [whole(typed), whole(&here), Some(typed.to_owned())].into_iter().flatten().collect()
}

/// Adds names to an image: all of them, or none if one cannot be a name.
pub(crate) fn tag(context: &Context, image: &str, names: &[ImageReference]) -> Result<(), Report> {
    let store = context.store()?;
    let _deferred = store.defer_collection()?;
    let image = local::find(store, &context.registries, image)?;
    names.iter().try_for_each(local::check_new_name)?;
    for name in names {
        local::tag(store, &image, name)?;
        happened::to_image(store, "tag", image.id.hex(), name.to_string());
    }
    sweep_soon(context);
    Ok(())
}

/// Removes names from an image, all if none is given. The image stays, even without a name.
pub(crate) fn untag(context: &Context, image: &str, names: &[String]) -> Result<(), Report> {
    let store = context.store()?;
    let image = local::find(store, &context.registries, image)?;
    if names.is_empty() {
        let forms = local::forms(store, &image)?;
        let mut names = forms.iter().flat_map(|form| &form.names);
        names.try_for_each(|name| local::untag(store, &context.registries, &name.to_string()).map(drop))?;
        happened::to_image(store, "untag", image.id.hex(), "");
    }
    for name in names {
        if local::find(store, &context.registries, name)?.id != image.id {
            return Err(image::Error::NotFound { name: name.clone() }.into());
        }
        local::untag(store, &context.registries, name)?;
        happened::to_image(store, "untag", image.id.hex(), name.clone());
    }
    sweep_soon(context);
    Ok(())
}

/// Which images to remove.
#[derive(Debug, Default)]
pub(crate) struct RemoveImages {
    /// Names or IDs.
    pub(crate) names: Vec<String>,
    /// All images.
    pub(crate) all: bool,
    /// Removes all names.
    pub(crate) force: bool,
    /// With the containers that use the images.
    pub(crate) with_users: bool,
    /// A missing image is not a failure.
    pub(crate) ignore: bool,
    /// Only images for one of these platforms; empty: any.
    pub(crate) platforms: Vec<Platform>,
}

/// Removes names, images without a name, and what nothing refers to any more. One failure does not stop the others; the
/// second list has all failures.
pub(crate) fn remove_images(context: &Context, request: &RemoveImages) -> Result<(Vec<Removed>, Vec<Report>), Report> {
    let store = context.store()?;
    let mut names: Vec<String> = if request.all {
        local::list(store)?.0.into_iter().map(|image| image.id.to_string()).collect()
    } else {
        request.names.clone()
    };
    let mut failures = Vec::new();
    if !request.platforms.is_empty() {
        names.retain(|name| match on_platform(context, store, name, &request.platforms) {
            Ok(()) => true,
            Err(report) => {
                // Of all images, those for other platforms are not meant.
                failures.extend((!request.all).then_some(report));
                false
            }
        });
    }
    if request.with_users {
        // Before rc takes the store's lock: a container's lock comes first.
        // The images in a list stay.
        let of_images = names.iter().filter(|name| list::find(store, name).is_err());
        for image in of_images.filter_map(|name| local::find(store, &context.registries, name).ok()) {
            remove_users(context, store, &image.id)?;
        }
    }
    let (removed, more) = remove_while_locked(context, request, &names)?;
    sweep_all(context)?;
    failures.extend(more);
    Ok((removed, failures))
}

/// Fails if the image is for none of these platforms. What is missing is said by the removal.
fn on_platform(context: &Context, store: &Store, name: &str, platforms: &[Platform]) -> Result<(), Report> {
    let Ok(image) = local::find(store, &context.registries, name) else { return Ok(()) };
    let mut refused = None;
    for platform in platforms {
        match image.check_platform(name, platform) {
            Ok(()) => return Ok(()),
            Err(error) => refused = Some(error),
        }
    }
    refused.map_or(Ok(()), |error| Err(error.into()))
}

/// Removes the containers of an image, even running ones.
fn remove_users(context: &Context, store: &Store, image: &Digest) -> Result<(), Report> {
    let removal = ContainerRemoval { force: true, timeout: None, volumes: false };
    let users = container::list(store)?.containers.into_iter().filter(|it| it.config.uses_image(image));
    for container in users {
        container::remove(store, container, &removal, &context.runtime_dir()?)?;
    }
    Ok(())
}

fn happened_to(store: &Store, removed: &Removed) {
    for name in &removed.untagged {
        happened::to_image(store, "untag", "", name.to_string());
    }
    for id in &removed.deleted {
        happened::to_image(store, "remove", id.hex(), "");
    }
}

/// Removes names and images while no new container can use one; then the lists that have one of the names.
fn remove_while_locked(
    context: &Context,
    request: &RemoveImages,
    names: &[String],
) -> Result<(Vec<Removed>, Vec<Report>), Report> {
    let store = context.store()?;
    let (mut done, mut lists, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let removal = Removal::begin(store)?;
    let used = in_use(store)?;
    for name in names {
        match removal.remove(&context.registries, name, &used, request.force || request.all) {
            Ok(removed) => {
                happened_to(store, &removed);
                done.push(removed);
            }
            Err(image::Error::NotFound { .. }) if list::find(store, name).is_ok() => lists.push(name),
            Err(image::Error::NotFound { .. }) if request.ignore => {}
            Err(error) => failures.push(error.into()),
        }
    }
    if done.iter().any(|removed| !removed.deleted.is_empty()) {
        removal.collect(&used)?;
    }
    drop(removal);
    for name in lists {
        match remove_list(context, name) {
            Ok(list) => done.push(Removed { untagged: vec![list.name], deleted: vec![list.digest] }),
            Err(report) => failures.push(report),
        }
    }
    Ok((done, failures))
}
