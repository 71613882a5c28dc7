//! The files in which vendors describe devices.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::plan::{CdiEdits, CdiFile, find_device};
use crate::sys::elf::Elf;
use crate::sys::fs;
use crate::types::json;

/// The longest file that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// Looks the devices up. A file that cannot be read, or is none of these, counts as missing: it may be another's.
pub(super) fn look_up(
    names: &BTreeSet<String>,
    environment: &[(String, String)],
) -> BTreeMap<String, Option<CdiEdits>> {
    if names.is_empty() {
        return BTreeMap::new();
    }
    let variable = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| PathBuf::from(value));
    let own = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let directories =
        ["/etc/cdi", "/var/run/cdi"].map(PathBuf::from).into_iter().chain(own.map(|config| config.join("cdi")));
    let mut files: Vec<CdiFile> = Vec::new();
    for directory in directories {
        let mut paths = fs::paths_in(&directory).unwrap_or_default();
        paths.sort();
        let is_json = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "json");
        let bytes = paths.iter().filter(is_json).filter_map(|path| fs::read_regular(path, LIMIT).ok());
        files.extend(bytes.filter_map(|bytes| json::from_slice(&bytes).ok()));
    }
    names.iter().map(|name| (name.clone(), find_device(&files, name).map(with_libraries))).collect()
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
