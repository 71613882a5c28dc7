//! `buildx imagetools`: what a registry has under a name, with the configurations of the images.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Add, remote};
use crate::engine::context::Context;
use crate::registry::manifest::Kind;
use crate::registry::{self, Platform};
use crate::types::{Report, json as reading};
use crate::view::remote_image::RemoteImage;

/// Asks the registry of a name.
pub(crate) fn remote_image(context: &Context, typed: &str, how: &Add) -> Result<RemoteImage, Report> {
    let (found, name) = remote(context, typed, how, |client, place| {
        registry::block_on(client.manifest(place)).map(|found| found.map(|found| (found, place.to_string())))
    })?;
    let refuse = |reason: String| super::unreadable(typed, &reason);
    let document: Value = reading::from_slice(&found.bytes).map_err(|error| refuse(error.to_string()))?;
    Ok(RemoteImage { name, media_type: found.media_type, digest: found.digest, bytes: found.bytes, document })
}

/// The configuration of the image, or those of the images in the list, by their platforms.
pub(crate) fn remote_configurations(
    context: &Context,
    typed: &str,
    image: &RemoteImage,
    how: &Add,
) -> Result<Value, Report> {
    let refuse = |reason: String| super::unreadable(typed, &reason);
    let configuration = |kind: &Kind| -> Result<Value, Report> {
        let Kind::Manifest(manifest) = kind else { return Err(refuse("it is a list in a list".to_owned())) };
        let found =
            remote(context, typed, how, |client, _| registry::block_on(client.configuration(&manifest.config)))?;
        reading::from_slice(&found.bytes).map_err(|error| refuse(error.to_string()))
    };
    let parse =
        |bytes: &[u8], media_type: &str| Kind::parse(bytes, media_type).map_err(|fault| refuse(fault.to_string()));
    let kind = parse(&image.bytes, &image.media_type)?;
    if matches!(kind, Kind::Manifest(_)) {
        return configuration(&kind);
    }
    let document = crate::image::list::Document::parse(&image.bytes).map_err(|error| refuse(error.to_string()))?;
    let mut all = BTreeMap::new();
    for member in document.manifests {
        // Attestations are for no platform.
        let Some(platform) = member.platform.filter(|platform| platform.os != "unknown") else { continue };
        let (os, architecture) = (platform.os, platform.architecture);
        let shown = Platform { os, architecture, variant: platform.variant }.to_string();
        let wanted =
            registry::manifest::Descriptor { media_type: member.media_type, digest: member.digest, size: member.size };
        let found = remote(context, typed, how, |client, _| registry::block_on(client.manifest_of(&wanted)))?;
        all.insert(shown, configuration(&parse(&found.bytes, &found.media_type)?)?);
    }
    Ok(json!(all))
}
