//! Looks at every other process it can see, as fast as it can.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Until `stop` exists: notes where `exe`, `root`, `cwd` and the descriptors of all other processes lead, then prints each
/// once, sorted, as `NAME TARGET`; numbers of descriptors are `fd`.
pub(crate) fn watch(stop: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut seen = BTreeSet::new();
    crate::ready()?;
    while !Path::new(stop).exists() {
        for entry in fs::read_dir("/proc")?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.parse::<u32>().is_ok_and(|pid| pid != std::process::id()) {
                look(&entry.path(), &mut seen);
            }
        }
    }
    for line in seen {
        println!("{line}");
    }
    Ok(())
}

fn look(process: &Path, seen: &mut BTreeSet<String>) {
    for name in ["exe", "root", "cwd"] {
        if let Ok(target) = fs::read_link(process.join(name)) {
            seen.insert(format!("{name} {}", target.display()));
        }
    }
    for entry in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
        if let Ok(target) = fs::read_link(entry.path()) {
            // The number of a pipe or socket is of no interest.
            let target = target.to_string_lossy();
            seen.insert(format!("fd {}", target.split_once(":[").map_or(&*target, |(kind, _)| kind)));
        }
    }
}
