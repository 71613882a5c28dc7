//! Giving a container another name.

use super::context::Context;
use super::happened;
use super::sweep::sweep_soon;
use crate::container;
use crate::plan::ContainerConfig;
use crate::types::{Name, Report};

/// Gives a container, in whatever state, another name. On failure it keeps the old one.
pub(crate) fn rename(context: &Context, container: &str, name: &str) -> Result<(), Report> {
    let store = context.store()?;
    let name: Name = container::bare_name(name).parse()?;
    let container = container::find(store, container)?;
    container::rename(store, &container, &name)?;
    happened::to_container(store, &ContainerConfig { name, ..container.config }, "rename");
    sweep_soon(context);
    Ok(())
}
