//! What a step depends on, as its slot keeps it (`build::reason`).

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;

use super::Scene;
use super::files;
use super::run::Command;
use super::stage::{Stage, Step};
use crate::build::reason::{Input, Table};
use crate::storage::Hasher;
use crate::types::Report;

/// The inputs of a step of a stage.
pub(super) fn table(scene: &Scene<'_>, stage: &Stage, step: &Step<'_>, instruction: &str) -> Result<Table, Report> {
    let mut table = bare(scene, stage, instruction);
    match step {
        Step::Run(command) => run(scene, command, &mut table),
        Step::Copy(copy) => {
            let owner = copy.owner.clone().unwrap_or_default();
            for (name, value) in [("destination", &copy.destination), ("owner", &owner), ("mode", &copy.mode_text)] {
                set(&mut table, name, value);
            }
            for (number, later) in copy.parts.iter().filter_map(|part| part.later.as_ref()).enumerate() {
                set(&mut table, &format!("repository {}", number + 1), &later.identity);
            }
            table.files = inputs(scene, copy)?;
        }
        Step::Directory { path, user } => {
            set(&mut table, "directory", path);
            set(&mut table, "user", user);
        }
    }
    Ok(table)
}

/// What is known of a step whose files are not there yet.
pub(super) fn bare(scene: &Scene<'_>, stage: &Stage, instruction: &str) -> Table {
    Table {
        map: scene.ids().to_owned(),
        platform: stage.config.architecture.clone(),
        base: stage.base(),
        instruction: instruction.to_owned(),
        ..Table::default()
    }
}

fn run(scene: &Scene<'_>, command: &Command<'_>, table: &mut Table) {
    table.variables = Table::variables(&command.env);
    let network = command.network.as_ref().map(ToString::to_string).unwrap_or_default();
    let security = if command.is_insecure { "insecure" } else { "" };
    for (name, value) in [
        ("user", command.user.as_str()),
        ("working directory", &command.working_dir),
        ("network", &network),
        ("security", security),
        ("hosts", &scene.add_hosts.join(", ")),
    ] {
        set(table, name, value);
    }
    if let Some(asked) = scene.keyed() {
        let asked = serde_json::to_vec(&asked).unwrap_or_default();
        set(table, "options of the build", &Hasher::sha256(&asked).to_string());
    }
    if let Some(script) = &command.script {
        set(table, "here-document", &Hasher::sha256(script.content.as_bytes()).to_string());
    }
    // What a shell gets is in the instruction, unless it has several lines.
    set(table, "command", &Hasher::sha256(command.argv.join("\0").as_bytes()).to_string());
    for key in &command.mount_keys {
        let mut words = key.splitn(3, ' ');
        let (kind, target, rest) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match kind {
            Some("bind") => set(table, &format!("files mounted at {target}"), rest),
            Some(kind) => set(table, &format!("{kind} {target}"), rest),
            None => {}
        }
    }
}

fn set(table: &mut Table, name: &str, value: &str) {
    table.settings.insert(name.to_owned(), value.to_owned());
}

/// The files that a copy takes, by their paths.
fn inputs(scene: &Scene<'_>, copy: &files::Copy<'_>) -> Result<BTreeMap<String, Input>, Report> {
    files::with_trees(scene, copy, |found| {
        let trees = found.iter().flat_map(|(_, trees)| trees);
        let items = trees.flat_map(|tree| tree.items.iter().map(move |item| (tree, item)));
        let inputs = items.map(|(tree, item)| {
            let mut path = tree.path.as_os_str().as_bytes().to_vec();
            if !item.path.is_empty() {
                path.extend_from_slice(if path.is_empty() { b"" } else { b"/" });
                path.extend_from_slice(&item.path);
            }
            let all = serde_json::to_vec(&(&item.kind, item.uid, item.gid, &item.attributes)).unwrap_or_default();
            let digest = Hasher::sha256(&all).hex()[..32].to_owned();
            (String::from_utf8_lossy(&path).into_owned(), Input { mode: item.mode, digest })
        });
        Ok(inputs.collect())
    })
}
