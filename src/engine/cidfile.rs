use std::path::{Path, PathBuf};

use crate::plan::ContainerConfig;
use crate::sys::fs::{self, AtPath as _};
use crate::types::{Report, ReportKind};

/// The file with the ID of a container that is being created. It is removed unless it is kept: the container that it
/// names does not exist then.
pub(super) struct Cidfile(Option<PathBuf>);

impl Cidfile {
    /// Fails if there is something in the place of the file that `option` asks for: before anything is done.
    pub(super) fn check(path: Option<&Path>, option: &str) -> Result<(), Report> {
        let Some(path) = path.filter(|path| fs::symlink_metadata(path).is_ok()) else { return Ok(()) };
        let message = format!("the file `{}` already exists", path.display());
        let hint = format!("remove it, or write the ID to another file with {option}");
        Err(Report::new(ReportKind::Conflict, message).with_hint(hint))
    }

    /// Writes the container's ID to the file that was asked for, if any. Fails if anything has that name, even a link.
    /// On failure no file is left.
    pub(super) fn write(config: &ContainerConfig) -> Result<Self, Report> {
        use std::io::Write as _;
        let Some(path) = &config.cidfile else { return Ok(Self(None)) };
        let mut file = fs::create_new(path)?;
        let written = Self(Some(path.clone()));
        file.write_all(config.id.as_str().as_bytes()).at("write", path)?;
        Ok(written)
    }

    /// The container exists.
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Cidfile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            drop(fs::remove_file(path));
        }
    }
}
