//! `rc volume …`.

pub(crate) mod create;
pub(crate) mod exists;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod mount;
pub(crate) mod prune;
pub(crate) mod reload;
pub(crate) mod rm;
pub(crate) mod unmount;

use crate::engine::ListedVolume;
use crate::view::VolumeRow;

/// A volume as it is shown.
fn row(listed: &ListedVolume) -> VolumeRow<'_> {
    let ListedVolume { volume, mountpoint, running, needs_copy_up, .. } = listed;
    VolumeRow { record: &volume.record, mountpoint, running: *running, needs_copy_up: *needs_copy_up }
}
