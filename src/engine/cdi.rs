//! The files in which vendors describe devices.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::context::Caller;
use crate::plan::{CdiEdits, CdiFile, Described, find_device};
use crate::settings::{Settings, Texts};
use crate::sys::elf::Elf;
use crate::sys::fs;
use crate::types::json;

/// The longest file that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// Looks the devices up. A file that cannot be read, or is none of these, counts as missing: it may be another's.
pub(super) fn look_up(names: &BTreeSet<String>, settings: &Settings, caller: &Caller) -> BTreeMap<String, Described> {
    if names.is_empty() {
        return BTreeMap::new();
    }
    let directories = directories(settings, caller);
    let mut files: Vec<CdiFile> = Vec::new();
    for directory in &directories {
        let mut paths = fs::paths_in(directory).unwrap_or_default();
        paths.sort();
        let is_json = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "json");
        let bytes = paths.iter().filter(is_json).filter_map(|path| fs::read_regular(path, LIMIT).ok());
        files.extend(bytes.filter_map(|bytes| json::from_slice(&bytes).ok()));
    }
    let described = |name: &String| find_device(&files, name).map(with_libraries).ok_or_else(|| missing(&directories));
    names.iter().map(|name| (name.clone(), described(name))).collect()
}

/// Where the files are: in the directories of the settings, or in the usual ones. Of several files that describe a
/// device the last one counts.
fn directories(settings: &Settings, caller: &Caller) -> Vec<PathBuf> {
    let Texts(chosen) = &settings.container.cdi_spec_dirs.value;
    if !chosen.is_empty() {
        return chosen.iter().map(|directory| caller.working_dir.join(directory)).collect();
    }
    let variable =
        |name: &str| caller.environment.iter().find(|(key, _)| key == name).map(|(_, value)| Path::new(value));
    let own = variable("XDG_CONFIG_HOME")
        .map(Path::to_owned)
        .or_else(|| variable("HOME").map(|home| home.join(".config")))
        .map(|config| config.join("cdi"));
    ["/etc/cdi", "/var/run/cdi"].map(PathBuf::from).into_iter().chain(own).collect()
}

/// Why a device is not described.
fn missing(directories: &[PathBuf]) -> String {
    let shown: Vec<String> = directories.iter().map(|directory| directory.display().to_string()).collect();
    let place = match &shown[..] {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        one => one.concat(),
    };
    format!("no file in {place} describes it (JSON files alone are read)")
}

/// Looks the libraries up that programs find by the names in them.
fn with_libraries(mut edits: CdiEdits) -> CdiEdits {
    for (host, path) in edits.libraries() {
        if let Some(soname) = fs::open(host).ok().and_then(|file| Elf::of_file(&file)?.soname) {
            edits.add_library(&path, &soname);
        }
    }
    edits
}
