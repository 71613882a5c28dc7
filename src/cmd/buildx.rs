//! `rc buildx …`: those of its commands that have no name elsewhere. There is one builder, `default`, to which scripts
//! may give further names.

pub(crate) mod choose;
pub(crate) mod create;
pub(crate) mod imagetools;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod rm;
pub(crate) mod stop;
pub(crate) mod version;

use crate::registry::Platform;

/// What it builds for.
fn platform() -> String {
    Platform::host().to_string()
}
