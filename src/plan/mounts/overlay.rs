//! The option `O`: the container writes to a layer on top of the source. It is a new one at each start, unless
//! `upperdir` and `workdir` name directories for it. Source: podman-run(1), `--volume`, "Overlay Volume Mounts".

use std::path::Path;

use crate::plan::paths::host_path;

/// What was given of the three options.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    is_asked: bool,
    upper: Option<String>,
    work: Option<String>,
}

impl Overlay {
    /// Whether this is one of the options; it is kept then.
    pub(super) fn takes(&mut self, option: &str, working_dir: &Path) -> bool {
        let path = |text: &str| Some(host_path(text, working_dir).display().to_string());
        if option == "O" {
            self.is_asked = true;
        } else if let Some(directory) = option.strip_prefix("upperdir=") {
            self.upper = path(directory);
        } else if let Some(directory) = option.strip_prefix("workdir=") {
            self.work = path(directory);
        } else {
            return false;
        }
        true
    }

    /// The options, complete.
    pub(super) fn options(self) -> Result<Vec<String>, &'static str> {
        match self {
            Self { is_asked: false, upper: None, work: None } => Ok(Vec::new()),
            Self { is_asked: false, .. } => Err("`upperdir` and `workdir` belong to an overlay: add `O`"),
            Self { upper: None, work: None, .. } => Ok(vec!["O".to_owned()]),
            Self { upper: Some(upper), work: Some(work), .. } => {
                Ok(vec!["O".to_owned(), format!("upperdir={upper}"), format!("workdir={work}")])
            }
            _ => Err("`upperdir` and `workdir` are given together: two directories of one filesystem"),
        }
    }
}
