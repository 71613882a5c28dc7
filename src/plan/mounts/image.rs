//! Mounts that show the files of an image: read-only, or beneath a layer that is new at each start (`rw`). Source:
//! podman-run(1), `--mount`, `type=image`.

use super::Sources;
use crate::plan::request::MountRequestKind;
use crate::plan::{Error, Mount, MountKind, MountRequest};

impl MountRequest {
    /// The image's name, if this mount shows one.
    pub(crate) fn image_name(&self) -> Option<&str> {
        self.source.as_deref().filter(|name| self.kind == MountRequestKind::Image && !name.is_empty())
    }

    /// The mount of an image that was found.
    pub(super) fn image(
        &self,
        destination: String,
        source: Option<&str>,
        sources: &Sources<'_>,
    ) -> Result<Mount, Error> {
        let name = source.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| self.invalid("a mount of an image needs one (`src=IMAGE`)"))?;
        let found = sources.images.get(name).ok_or(Error::NotLookedUp("the image of a mount"))?;
        let kind = MountKind::Image { image: Box::new(found.clone()) };
        let mut mount = Mount { kind, destination, read_only: true, options: Vec::new() };
        for option in &self.options {
            match option.as_str() {
                "ro" => mount.read_only = true,
                "rw" => mount.read_only = false,
                "exec" | "noexec" | "dev" | "nodev" | "suid" | "nosuid" => mount.options.push(option.clone()),
                text if text.starts_with("subpath=") => mount.options.push(self.subpath(text)?),
                _ => return Err(self.unknown(option)),
            }
        }
        Ok(mount)
    }
}
