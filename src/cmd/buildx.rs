//! `rc buildx …`: those of its commands that have no name elsewhere. There is one builder, `default`.

pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod version;

use crate::registry::Platform;

/// The name of the only builder.
const NAME: &str = "default";

/// What it builds for.
fn platform() -> String {
    Platform::host().to_string()
}
