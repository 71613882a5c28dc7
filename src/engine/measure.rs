//! What files and directories take on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::context::Context;
use crate::storage::disk_bytes;
use crate::types::Report;
use crate::userns::{self, UserNamespace};

/// The bytes on the disk of each of these, which need not exist.
pub(super) fn measure(context: &Context, paths: BTreeSet<PathBuf>) -> Result<BTreeMap<PathBuf, u64>, Report> {
    if paths.is_empty() {
        return Ok(BTreeMap::new());
    }
    let home = UserNamespace::open(&context.ids()?, &context.runtime_dir()?)?;
    // Its IDs own the files, some of which the user cannot read.
    let sizes: Vec<u64> =
        userns::inside(&home, "rc: size", || paths.iter().map(|path| disk_bytes(path)).collect::<Result<Vec<_>, _>>())?;
    Ok(paths.into_iter().zip(sizes).collect())
}
