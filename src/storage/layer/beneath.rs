//! Maps with paths as keys: operations on a directory and everything beneath it.

use std::collections::BTreeMap;

/// Removes the keys that are `path` or lie beneath it; the cost depends only on their number.
pub(super) fn forget<T>(map: &mut BTreeMap<Vec<u8>, T>, path: &[u8]) {
    map.remove(path);
    // `0` is the byte after `/`.
    let (first, end) = ([path, b"/"].concat(), [path, b"0"].concat());
    let beneath: Vec<_> = map.range(first..end).map(|(path, _)| path.clone()).collect();
    for path in beneath {
        map.remove(&path);
    }
}
