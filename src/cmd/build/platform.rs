//! `rc build`: which platforms the image is for.

use crate::engine::{BuildExport, BuildRequest};
use crate::error::Error;
use crate::registry::Platform;

/// Options for the platform of the image.
#[derive(Debug, Default, clap::Args)]
pub(super) struct PlatformArgs {
    /// Set the architecture of the image, instead of the host's
    #[arg(long, value_name = "ARCH", conflicts_with = "platforms")]
    arch: Option<String>,
    /// Set the OS of the image, instead of the host's
    #[arg(long, value_name = "OS", conflicts_with = "platforms")]
    os: Option<String>,
    /// Set the platform of the image: OS/ARCH[/VARIANT]; several make a list of images
    #[arg(long = "platform", value_name = "PLATFORM", value_delimiter = ',', value_parser = platform)]
    platforms: Vec<Platform>,
    /// Set the variant of the architecture
    #[arg(long, value_name = "VARIANT", conflicts_with = "platforms")]
    variant: Option<String>,
}

impl PlatformArgs {
    /// The platforms that were asked for, each once; none is that of this host.
    pub(super) fn all(&self) -> Vec<Platform> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let parts = (given(&self.os), given(&self.arch), given(&self.variant));
        let mut all: Vec<Platform> = Vec::new();
        if parts != (None, None, None) {
            let (os, arch, variant) = parts;
            all.push(Platform::of(os.as_deref(), arch.as_deref(), variant.as_deref()));
        }
        for platform in &self.platforms {
            if !all.contains(platform) {
                all.push(platform.clone());
            }
        }
        all
    }
}

/// A platform; `local` is this host, as in BuildKit.
fn platform(text: &str) -> Result<Platform, String> {
    if text == "local" {
        return Ok(Platform::host());
    }
    text.parse().map_err(|error: crate::types::Invalid| error.to_string())
}

/// The platforms to build for, one after the other. If there are several, their images get no names, which the list
/// has, and their files go to a directory for each.
pub(super) fn each<'a>(
    platforms: &'a [Platform],
    request: &mut BuildRequest,
) -> Result<impl Iterator<Item = Option<Platform>> + use<'a>, Error> {
    if platforms.len() > 1 {
        request.names.clear();
        if request.input.is_some() {
            return Err(Error::new("a context from standard input is read once, and so for one platform"));
        }
        if !request.exports.iter().all(|export| matches!(export, BuildExport::Directory(_))) {
            let error = Error::new("an archive has the files of one platform");
            return Err(error.with_hint("write them to directories: `--output DIRECTORY`"));
        }
    }
    let one = platforms.is_empty().then_some(None);
    Ok(one.into_iter().chain(platforms.iter().cloned().map(Some)))
}
