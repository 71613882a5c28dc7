//! The host's paths that patterns match.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::sys::fs;
use crate::types::glob;

/// The most paths that one pattern may match: each becomes a mount.
const MOST: usize = 1000;

/// Looks the patterns up, each with the absolute paths in order, or why there are none. A `*` or `?` matches nothing
/// across a slash. Source: glob(7), without brackets.
pub(super) fn look_up(
    patterns: &BTreeSet<String>,
    working_dir: &Path,
) -> BTreeMap<String, Result<Vec<String>, String>> {
    patterns.iter().map(|pattern| (pattern.clone(), matching(pattern, working_dir))).collect()
}

fn matching(pattern: &str, working_dir: &Path) -> Result<Vec<String>, String> {
    if pattern.contains(['[', '\\', '\0']) {
        return Err("a pattern has `*` and `?`, and neither brackets nor backslashes".to_owned());
    }
    let whole = working_dir.join(pattern);
    let mut found = vec![PathBuf::from("/")];
    for part in whole.components().skip(1).map(|part| part.as_os_str()) {
        let is_pattern = part.as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?'));
        let mut next = Vec::new();
        for directory in &found {
            if !is_pattern {
                next.push(directory.join(part));
                continue;
            }
            let names = fs::paths_in(directory).unwrap_or_default();
            let fits = |path: &PathBuf| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.zip(part.to_str()).is_some_and(|(name, part)| glob::matches(part, name))
            };
            next.extend(names.into_iter().filter(fits));
        }
        if next.len() > MOST {
            return Err(format!("it matches more than {MOST} files"));
        }
        found = next;
    }
    found.retain(|path| fs::symlink_metadata(path).is_ok());
    found.sort();
    let text = |path: PathBuf| path.into_os_string().into_string().map_err(|path| format!("{path:?} is not UTF-8"));
    found.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_within_one_part_of_a_path() {
        let home = tempfile::tempdir().unwrap();
        for name in ["a1/x.so", "a1/y.so", "a2/x.so", "a2/z", "b/x.so"] {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let of = |pattern: &str| {
            let shown = |path: String| path.strip_prefix(home.path().to_str().unwrap()).unwrap().to_owned();
            matching(pattern, home.path()).map(|found| found.into_iter().map(shown).collect::<Vec<_>>())
        };
        for (pattern, expected) in [
            ("a*/x.so", &["/a1/x.so", "/a2/x.so"][..]),
            ("a?/*.so", &["/a1/x.so", "/a1/y.so", "/a2/x.so"]),
            ("b/x.so", &["/b/x.so"]),
            ("*/z", &["/a2/z"]),
            ("c*", &[]),
            ("missing", &[]),
        ] {
            assert_eq!(of(pattern).unwrap(), expected, "{pattern}");
        }
        let absolute = format!("{}/b/*", home.path().display());
        assert_eq!(of(&absolute).unwrap(), ["/b/x.so"]);
        assert!(of("a[12]").is_err());
    }
}
