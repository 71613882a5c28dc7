//! `--on-error=keep`: an image of the files of a step that has failed, for a container.

use std::collections::BTreeMap;

use super::Scene;
use super::run::Command;
use crate::image::built::{self, Built};
use crate::image::push::Format;
use crate::image::{Config, History};
use crate::storage::Descriptor;
use crate::types::{Digest, ImageSettings, Report};

/// The shell of a command that has none.
const SHELL: &str = "/bin/sh";

/// Stores an image of these layers, the last of which the failed command has made if `has_changed`. A container of it
/// has the command's shell, variables, user and directory, but neither its secrets nor what was mounted. Returns the
/// ID.
pub(super) fn store(
    scene: &Scene<'_>,
    mut config: Config,
    layers: Vec<Descriptor>,
    command: &Command<'_>,
    has_changed: bool,
) -> Result<Digest, Report> {
    config.history.push(History {
        created_by: Some("a step that failed".to_owned()),
        empty_layer: !has_changed,
        ..History::default()
    });
    config.created = Some(jiff::Timestamp::now().to_string());
    let is_shell = |word: &&String| word.ends_with("sh");
    let program = command.argv.first().filter(is_shell).cloned().unwrap_or_else(|| SHELL.to_owned());
    config.config = ImageSettings {
        env: command.env.clone(),
        user: command.user.clone(),
        working_dir: command.working_dir.clone(),
        cmd: vec![program],
        ..ImageSettings::default()
    };
    let store = &scene.environment.store;
    store.sync_layers()?;
    let built = Built { config, layers, names: Vec::new(), annotations: BTreeMap::new(), format: Format::Oci };
    Ok(built::store(store, &built)?.0)
}
