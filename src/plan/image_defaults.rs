use std::collections::BTreeMap;

use super::ImageSource;
use crate::types::image_settings::Healthcheck;

/// What `resolve` needs of an image's configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageDefaults {
    /// The image itself.
    pub(crate) source: ImageSource,
    /// `Entrypoint`.
    pub(crate) entrypoint: Vec<String>,
    /// `Cmd`.
    pub(crate) command: Vec<String>,
    /// `Env`.
    pub(crate) env: Vec<String>,
    /// `User`; empty is root.
    pub(crate) user: String,
    /// `WorkingDir`; empty is `/`.
    pub(crate) working_dir: String,
    /// The keys of `Volumes`.
    pub(crate) volumes: Vec<String>,
    /// `Labels`.
    pub(crate) labels: BTreeMap<String, String>,
    /// `StopSignal`.
    pub(crate) stop_signal: Option<String>,
    /// `Healthcheck`, as the image has it.
    pub(crate) healthcheck: Option<Healthcheck>,
}
