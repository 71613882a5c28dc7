//! `rc build`: what becomes of the image, or of those of several platforms.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use super::outputs::Outputs;
use super::sending::{Pushing, Save};
use crate::build::output::Destination;
use crate::cmd::Ctx;
use crate::cmd::observer::Screen;
use crate::engine::{self, SaveImages};
use crate::error::Error;
use crate::image::save::Layout;
use crate::sys::fs::AtPath as _;
use crate::sys::replacement;
use crate::types::{Digest, ImageReference, Report};

/// What a build has made.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The ID: of the image, or of the list of several; `None` if nothing is stored.
    pub(super) id: Option<Digest>,
    /// The digest of the manifest, or of the list: that in a registry, if it was pushed.
    pub(super) manifest: Option<Digest>,
    /// Its names.
    pub(super) names: Vec<String>,
}

impl Delivery {
    /// Names, writes and pushes what was made. `images` has the ID and the digest of the manifest for each platform;
    /// `list` is the one that they are added to.
    pub(super) fn make(
        ctx: &Ctx,
        images: Vec<Option<(Digest, Digest)>>,
        names: &[ImageReference],
        outputs: &Outputs,
        list: Option<&ImageReference>,
        is_quiet: bool,
    ) -> Result<Self, Error> {
        let made: Vec<(Digest, Digest)> = images.into_iter().flatten().collect();
        let shown = names.iter().map(ToString::to_string).collect();
        let manifests: Vec<Digest> = made.iter().map(|(_, manifest)| manifest.clone()).collect();
        let annotations = &outputs.index_annotations;
        let mut listed = None;
        if let Some(name) = list {
            listed = Some(engine::name_list(&ctx.engine, name, &manifests, annotations, true)?);
        }
        match &made[..] {
            [] => Ok(Self { id: None, manifest: None, names: shown }),
            [(id, manifest)] => {
                let pushed = deliver(outputs, ctx, (id, manifest), names, is_quiet)?;
                let manifest = pushed.unwrap_or_else(|| manifest.clone());
                Ok(Self { id: Some(id.clone()), manifest: Some(manifest), names: shown })
            }
            _ => {
                for name in names {
                    listed = Some(engine::name_list(&ctx.engine, name, &manifests, annotations, false)?);
                }
                let pushed = deliver_list(outputs, ctx, &manifests, names, is_quiet)?;
                let manifest = pushed.or_else(|| listed.clone());
                // Without a name there is no list: the last image stands for all, as with podman.
                let id = listed.or_else(|| made.last().map(|(id, _)| id.clone()));
                Ok(Self { id, manifest, names: shown })
            }
        }
    }
}

/// Writes and pushes the image with this ID and this manifest under `names`, which may mean another image by now: that
/// of a build beside this one. Returns the digest of what a registry has now.
fn deliver(
    outputs: &Outputs,
    ctx: &Ctx,
    (id, manifest): (&Digest, &Digest),
    names: &[ImageReference],
    is_quiet: bool,
) -> Result<Option<Digest>, Error> {
    let by_name: Vec<String> = names.iter().map(ToString::to_string).collect();
    let found = if by_name.is_empty() { vec![id.hex().to_owned()] } else { by_name };
    for Save { format, destination, repacking } in &outputs.saves {
        let images = SaveImages {
            names: found.clone(),
            manifest: Some(manifest.clone()),
            repacking: *repacking,
            ..SaveImages::default()
        };
        match destination {
            Destination::Standard => {
                let mut out = BufWriter::with_capacity(256 << 10, std::io::stdout().lock());
                engine::save(&ctx.engine, &images, *format, &mut out)?;
                out.flush().at("write", "standard output")?;
            }
            Destination::File(path) => {
                let path = PathBuf::from(path);
                let mut out = BufWriter::with_capacity(256 << 10, replacement::Output::open(&path, 0o666)?);
                engine::save(&ctx.engine, &images, *format, &mut out)?;
                out.into_inner().map_err(std::io::IntoInnerError::into_error).at("write", &path)?.finish()?;
            }
            Destination::Directory(path) => {
                engine::save_to_directory(&ctx.engine, &images, Layout::Oci, path.as_ref())?;
            }
        }
    }
    let screen = Screen::for_pull(is_quiet);
    let mut pushed = None;
    for Pushing { how, by_digest } in &outputs.pushes {
        for name in destinations(names, by_digest)? {
            pushed = Some(engine::push_manifest(&ctx.engine, manifest, &name, how, &screen)?.digest);
        }
    }
    Ok(pushed)
}

/// Pushes the images as a list, by all names. Returns its digest in the registry.
fn deliver_list(
    outputs: &Outputs,
    ctx: &Ctx,
    images: &[Digest],
    names: &[ImageReference],
    is_quiet: bool,
) -> Result<Option<Digest>, Error> {
    let screen = Screen::for_pull(is_quiet);
    let mut pushed = None;
    for Pushing { how, by_digest } in &outputs.pushes {
        for name in destinations(names, by_digest)? {
            let done = engine::push_as_list(&ctx.engine, &name, images, &outputs.index_annotations, how, &screen)?;
            pushed = Some(done.digest);
        }
    }
    Ok(pushed)
}

/// Where something is pushed to: to these repositories, if there are any, otherwise by its names.
fn destinations(names: &[ImageReference], by_digest: &[String]) -> Result<Vec<ImageReference>, Report> {
    if by_digest.is_empty() {
        return Ok(names.to_vec());
    }
    Ok(by_digest.iter().map(|name| name.parse()).collect::<Result<_, crate::types::Invalid>>()?)
}
