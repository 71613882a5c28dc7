//! What is known by paths, of a directory and all in it.

use std::collections::BTreeMap;

/// Removes the keys that are `path` or lie beneath it, at a cost that depends on their number alone.
pub(super) fn forget<T>(map: &mut BTreeMap<Vec<u8>, T>, path: &[u8]) {
    map.remove(path);
    // `0` is the byte after `/`.
    let (first, end) = ([path, b"/"].concat(), [path, b"0"].concat());
    let beneath: Vec<_> = map.range(first..end).map(|(path, _)| path.clone()).collect();
    for path in beneath {
        map.remove(&path);
    }
}
